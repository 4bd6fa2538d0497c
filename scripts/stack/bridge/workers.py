"""Lambda workers that see the same packages as on Lambda, and start as quickly.

MiniStack 1.5.33 differs from Lambda in these points, each mended here. Delete a part once MiniStack has it.

- A function can import every package that is installed beside MiniStack. A package that the layer lacks is then missed
  only on AWS.
- Every worker imports botocore before the handler.
- A worker ends when its handler raises. An authorizer that answers 401 by raising would always start cold.
- Each worker unpacks each layer again.
- After each call it waits 50 ms for a line of log.
- Every exception is called Runtime.HandlerError. State machines need its own name.
- A worker that does not start has the same error as a handler that raised.
- It keeps the log of every call in memory. Here log lines go to standard error, which is the stack's ``log/aws.log``.
"""

# ruff: noqa: ANN401, SLF001 - MiniStack has no types and no other way in

import hashlib
import os
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

FIRST_LOG_LINE_SECONDS = 0.002
LAST_LOG_LINE_SECONDS = 0.002
LONGEST_LOG_SECONDS = 0.25
REPLACEMENTS = (  # in the script that a worker runs
    # an exception is an answer, and does not end the worker
    (
        '{"status": "error", "error": str(e), "trace"',
        '{"status": "ok", "raised": type(e).__name__, "error": str(e), "trace"',
    ),
    # the counter of recursive calls, for which botocore is imported
    ("    _ms_install_invoke_depth()\n", ""),
)
PYTHON_WITHOUT_PACKAGES = '#!/bin/sh\nexec "{python}" -I -S -B "$@"\n'


class WorkerNotStarted(Exception):  # noqa: N818 - its name is the error's type in answers
    """The worker did not start, so the request reached no handler."""


_unpacking = threading.Lock()
_raised = threading.local()


def install() -> None:
    """Replace start, call and log of MiniStack's Python workers.

    Raises:
        RuntimeError: MiniStack's worker script has changed.
    """
    python, script = str(_write_python()), _worker_script()
    lambda_runtime._detect_runtime_binary = lambda _runtime: (python, script)
    worker = lambda_runtime.Worker
    worker._spawn = _with_shared_spawn(worker._spawn)
    worker.invoke = _keeping_worker(worker.invoke)
    worker._read_stderr = _read_log
    worker._drain_stderr_bounded.__defaults__ = (FIRST_LOG_LINE_SECONDS, LAST_LOG_LINE_SECONDS, LONGEST_LOG_SECONDS)
    lambda_svc._execute_function_warm = _naming_exceptions(lambda_svc._execute_function_warm)
    lambda_svc._emit_lambda_logs = lambda *_args, **_options: None


def _with_shared_spawn(spawn: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return *spawn* with layers that are unpacked once for all workers."""

    def spawn_with_shared_layers(self: Any) -> None:
        config = self.config
        self.config = _with_shared_layers(config)
        try:
            spawn(self)
        except (OSError, RuntimeError) as error:
            raise WorkerNotStarted(str(error)) from error
        finally:
            self.config = config

    return spawn_with_shared_layers


def _keeping_worker(invoke: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return *invoke* with exceptions of the handler as errors of a worker that goes on."""

    def invoke_and_keep(self: Any, *args: Any, **options: Any) -> dict[str, Any]:
        result = invoke(self, *args, **options)
        _raised.name = result.get("raised")
        if result.get("raised"):
            sys.stderr.write(f"{self.func_name} {result['trace']}\n")
            return {**result, "status": "error"}
        return result

    return invoke_and_keep


def _naming_exceptions(execute: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return *execute* with the name of the handler's exception as the type of the error."""

    def execute_and_name(*args: Any) -> dict[str, Any]:
        _raised.name = None
        answer = execute(*args)
        if answer.get("error") and _raised.name:
            answer["body"]["errorType"] = _raised.name
        return answer

    return execute_and_name


def _worker_script() -> str:
    script: str = lambda_runtime._PYTHON_WORKER_SCRIPT
    for old, new in REPLACEMENTS:
        if old not in script:
            message = f"MiniStack's worker script has changed: it has no {old!r} (scripts/stack/bridge/workers.py)"
            raise RuntimeError(message)
        script = script.replace(old, new)
    return script


def _write_python() -> Path:
    """Write a Python that has its standard library and only the packages of the layers."""
    file = Path(tempfile.gettempdir()) / "python"
    file.write_text(PYTHON_WITHOUT_PACKAGES.format(python=sys.executable), encoding="utf-8")
    file.chmod(0o755)
    return file


def _read_log(self: Any) -> None:
    for line in self._proc.stderr:
        self._stderr_queue.put(line.rstrip("\n"))
        sys.stderr.write(f"{self.func_name} {line}")


def _with_shared_layers(config: dict[str, Any]) -> dict[str, Any]:
    """Return *config* with its layers as folders, in the variable of MiniStack's worker."""
    contents = [lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers") or []]
    folders = os.pathsep.join(str(_unpacked(content)) for content in contents if content)
    variables = {**(config.get("Environment") or {}).get("Variables", {}), "_LAMBDA_LAYERS_DIRS": folders}
    return {**config, "Layers": [], "Environment": {"Variables": variables}}


def _unpacked(content: bytes) -> Path:
    """Return the folder with *content*, a layer's zip file, unpacked for the first worker."""
    folder = Path(tempfile.gettempdir()) / f"layer-{hashlib.sha256(content).hexdigest()[:16]}"
    with _unpacking:
        if not folder.exists():
            partial = Path(tempfile.mkdtemp(prefix="partial-layer-"))
            archive = partial.with_suffix(".zip")
            archive.write_bytes(content)
            with zipfile.ZipFile(archive) as layer:
                layer.extractall(partial)
            archive.unlink()
            partial.rename(folder)
    os.utime(folder)
    return folder
