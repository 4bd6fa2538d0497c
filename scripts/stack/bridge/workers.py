"""Lambda workers that see what Lambda shows them, and are as quick.

MiniStack 1.5.33 lets a function import all that is installed beside MiniStack, so that a package missing in the layer
is only missed on AWS; imports botocore into every worker before the handler; ends a worker whose handler raised (an
authorizer that answers 401 by raising would always start cold); unpacks each layer again for each worker; waits 50 ms
after a call for a line of log; says of every exception that it was a Runtime.HandlerError, where state machines go by
its name; and keeps the log of every call in memory. Here log lines go to standard error, the
stack's ``log/aws.log``. Delete a part once MiniStack has it.
"""

# ruff: noqa: ANN401, SLF001 - MiniStack has no types and no other way in

import hashlib
import os
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

FIRST_LOG_LINE_SECONDS = 0.002
LAST_LOG_LINE_SECONDS = 0.002
LONGEST_LOG_SECONDS = 0.25
REPLACEMENTS = (  # in the script that a worker runs
    # an exception is an answer, and not the end of the worker
    (
        '{"status": "error", "error": str(e), "trace"',
        '{"status": "ok", "raised": type(e).__name__, "error": str(e), "trace"',
    ),
    # the counter of recursive calls, for which botocore is imported
    ("    _ms_install_invoke_depth()\n", ""),
)
PYTHON_WITHOUT_PACKAGES = '#!/bin/sh\nexec "{python}" -I -S -B "$@"\n'

_unpacking = threading.Lock()
_raised = threading.local()


def install() -> None:
    """Replace start, call and log of MiniStack's Python workers.

    Raises:
        RuntimeError: MiniStack's workers are not those that this module knows.
    """
    worker = lambda_runtime.Worker
    spawn, invoke = worker._spawn, worker.invoke
    waits = (FIRST_LOG_LINE_SECONDS, LAST_LOG_LINE_SECONDS, LONGEST_LOG_SECONDS)
    python, script = str(_write_python()), _worker_script()

    def spawn_with_shared_layers(self: Any) -> None:
        config = self.config
        self.config = _with_shared_layers(config)
        try:
            spawn(self)
        finally:
            self.config = config

    def invoke_and_keep(self: Any, *args: Any, **options: Any) -> dict[str, Any]:
        result: dict[str, Any] = invoke(self, *args, **options)
        _raised.name = result.get("raised")
        if result.get("raised"):
            sys.stderr.write(f"{self.func_name} {result['trace']}\n")
            return {**result, "status": "error"}
        return result

    execute = lambda_svc._execute_function_warm

    def execute_and_name(*args: Any) -> dict[str, Any]:
        _raised.name = None
        answer: dict[str, Any] = execute(*args)
        if answer.get("error") and _raised.name:
            answer["body"]["errorType"] = _raised.name
        return answer

    lambda_svc._execute_function_warm = execute_and_name
    worker._spawn, worker.invoke = spawn_with_shared_layers, invoke_and_keep
    worker._read_stderr = _read_log
    worker._drain_stderr_bounded.__defaults__ = waits
    lambda_runtime._detect_runtime_binary = lambda _runtime: (python, script)
    lambda_svc._emit_lambda_logs = lambda *_args, **_options: None


def _worker_script() -> str:
    script: str = lambda_runtime._PYTHON_WORKER_SCRIPT
    for old, new in REPLACEMENTS:
        if old not in script:
            message = f"MiniStack's worker script has changed: it has no {old!r} (scripts/stack/bridge/workers.py)"
            raise RuntimeError(message)
        script = script.replace(old, new)
    return script


def _write_python() -> Path:
    """A Python that has its standard library and no package but those of the layers."""
    file = Path(tempfile.gettempdir()) / "python"
    file.write_text(PYTHON_WITHOUT_PACKAGES.format(python=sys.executable), encoding="utf-8")
    file.chmod(0o755)
    return file


def _read_log(self: Any) -> None:
    for line in self._proc.stderr:
        self._stderr_queue.put(line.rstrip("\n"))
        sys.stderr.write(f"{self.func_name} {line}")


def _with_shared_layers(config: dict[str, Any]) -> dict[str, Any]:
    """*config* without its layers, but with the variable that names their folders to MiniStack's worker."""
    contents = [lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers") or []]
    folders = os.pathsep.join(str(_unpacked(content)) for content in contents if content)
    variables = {**(config.get("Environment") or {}).get("Variables", {}), "_LAMBDA_LAYERS_DIRS": folders}
    return {**config, "Layers": [], "Environment": {"Variables": variables}}


def _unpacked(content: bytes) -> Path:
    """The folder that holds *content*, a layer's zip file; unpacked when no worker needed it before."""
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
