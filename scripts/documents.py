"""Run the commands of a document on the running stack: ``python -m scripts.documents docs/api.md`` writes the answers.

A fence ``sh`` holds commands. A fence ``json`` or ``text`` directly below it holds their answer; commands without one
print nothing. Commands below the comment ``<!-- not run -->`` are skipped. All commands of a document run in one shell,
in a new directory, where ``.local`` and ``.venv`` are the checkout's.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO, cast

ROOT: Final = Path(__file__).resolve().parents[1]
STACK_FOLDER: Final = ROOT / os.environ.get("STACK_DIR", ".local")
TIMEOUT_SECONDS: Final = 900  # far above any run: a document that never ends fails
WIDTH: Final = 116  # columns of a JSON answer, as far as its texts allow
LONG_TEXT: Final = 72  # characters of a text that are shown
KEY_CHARACTERS: Final = 6  # characters of a key that are shown
NOT_RUN: Final = "<!-- not run -->"
END: Final = "----- end of step -----"

STEP: Final = re.compile(
    rf"(?P<skip>{NOT_RUN}\n+)?^```sh\n(?P<commands>.*?)^```\n"
    r"(?:\n*^```(?P<kind>json|text)\n(?P<answer>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)

# Texts that differ from run to run.
VARYING_TEXTS: Final = (
    (re.compile(r"\b[psw]k_[0-9A-Za-z]+…?"), "<key>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<date>"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "<host>"),
    (re.compile(r"\b(acme|globex)-\d+\b"), r"\1-<run>"),
    (re.compile(r"\bt=\d+"), "t=<seconds>"),
    (re.compile(r"\btenancy-verification=\w+"), "tenancy-verification=<text>"),
    (re.compile(r"\btenancy-domain=[\w-]+"), "tenancy-domain=<text>"),
    (re.compile(r"\b[0-9a-f]{32}\.domains\."), "<claim>.domains."),
)
# Members of JSON whose values differ from run to run.
VARYING_MEMBERS: Final = frozenset(
    {
        "bytes",
        "hint",
        "last_seal",
        "last_sequence",
        "next_cursor",
        "retry_after",
        "seal",
        "sequence",
        "sha256",
        "unsealed",
    }
)
# Members whose numbers differ: the API keeps them in arrears, or a client library adds to them.
VARYING_COUNTS: Final = frozenset({"api_requests", "ingest_requests", "storage_bytes"})

type BeforeStep = Callable[[int], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedStep:
    """Commands of a document and their printed answer.

    *start* and *end* are the answer's place in the text.
    """

    commands: str
    kind: str
    answer: str
    start: int
    end: int


def main(paths: Sequence[str]) -> int:
    """Write the real answers into the documents at *paths*."""
    for path in map(Path, paths):
        path.write_text(refresh(path.read_text(encoding="utf-8")), encoding="utf-8")
        print(path)
    return 0


def parse_steps(text: str) -> list[DocumentedStep]:
    """Return the commands of a document, in order, each with its answer."""
    return [
        DocumentedStep(
            commands=found["commands"],
            kind=found["kind"] or "",
            answer=found["answer"] or "",
            start=found.start("answer"),
            end=found.end("answer"),
        )
        for found in STEP.finditer(text)
        if not found["skip"]
    ]


def refresh(text: str) -> str:
    """Return *text* with the answers that its commands give now.

    Raises:
        ValueError: commands without an answer printed something.
    """
    steps = parse_steps(text)
    for step, output in reversed(list(zip(steps, run(steps), strict=True))):
        if not step.kind and output:
            raise ValueError(f"The document shows no answer of:\n{step.commands}\nIt is:\n{output}")
        if step.kind:
            text = f"{text[: step.start]}{_shown(step.kind, output)}{text[step.end :]}"
    return text


def list_differences(text: str, *, before_step: BeforeStep = lambda _: None) -> list[str]:
    """Return the steps of a document whose answers are others than it shows.

    Ids, keys and times may differ. *before_step* is called with the number of each step.

    A run over midnight (UTC) is repeated, because statistics have one row a day.
    """
    steps = parse_steps(text)
    started_on, outputs = _today(), run(steps, before_step=before_step)
    if _today() != started_on:
        outputs = run(steps, before_step=before_step)
    return [
        f"{step.commands}\nshown:\n{step.answer}\nnow:\n{_shown(step.kind, output)}"
        for step, output in zip(steps, outputs, strict=True)
        if normalize(step.kind, step.answer) != normalize(step.kind, output)
    ]


def run(steps: Sequence[DocumentedStep], *, before_step: BeforeStep = lambda _: None) -> list[str]:
    """Run the commands of *steps* in one shell and return what each of them printed.

    *before_step* is called with the number of each step.

    Raises:
        RuntimeError: the shell ended early.
    """
    outputs: list[str] = []
    with tempfile.TemporaryDirectory(prefix="document-") as folder:
        (Path(folder) / ".local").symlink_to(STACK_FOLDER)
        (Path(folder) / ".venv").symlink_to(sys.prefix)
        with _shell(folder) as (commands, printed):
            for number, step in enumerate(steps):
                before_step(number)
                commands.write(f"{step.commands}printf '\\n%s\\n' '{END}'\n")
                commands.flush()
                output = _read_output(printed)
                if not output.endswith(f"\n{END}\n"):
                    raise RuntimeError(f"The shell ended after {number} of {len(steps)} steps: {output}")
                outputs.append(output.removesuffix(f"\n{END}\n"))
    return outputs


@contextmanager
def _shell(folder: str) -> Iterator[tuple[TextIO, TextIO]]:
    """Yield the commands and the output of a shell in *folder*.

    The shell reads the commands beside its standard input.
    """
    source, sink = os.pipe()
    with (
        subprocess.Popen(
            ["bash", f"/dev/fd/{source}"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=[source],
        ) as shell,
        os.fdopen(sink, "w") as commands,
    ):
        os.close(source)
        timer = threading.Timer(TIMEOUT_SECONDS, shell.kill)
        timer.start()
        try:
            yield commands, cast("TextIO", shell.stdout)
        finally:
            timer.cancel()


def _read_output(printed: TextIO) -> str:
    """Return the output of a step with its end, or the rest of a shell that has ended."""
    lines: list[str] = []
    while (line := printed.readline()) and line != f"{END}\n":
        lines.append(line)
    return "".join([*lines, line])


def normalize(kind: str, answer: str) -> object:
    """Return *answer* in a form that is equal for answers that differ in ids, keys, times and varying numbers only."""
    if kind == "json":
        try:
            return _normalize_json(json.loads(answer))
        except ValueError:
            return answer
    return _normalize_text(answer.strip())


def format_json(value: object, indent: int = 0, prefix: str = "") -> str:
    """Return *value* as JSON in few lines: a value that fits into the width takes one line, after *prefix*."""
    line = f"{' ' * indent}{prefix}{json.dumps(value, ensure_ascii=False)}"
    if len(line) <= WIDTH or not value or not isinstance(value, dict | list):
        return line
    names = [f"{json.dumps(name)}: " for name in value] if isinstance(value, dict) else [""] * len(value)
    inner = value.values() if isinstance(value, dict) else value
    lines = ",\n".join(format_json(each, indent + 2, name) for name, each in zip(names, inner, strict=True))
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{' ' * indent}{prefix}{opening}\n{lines}\n{' ' * indent}{closing}"


def _shown(kind: str, output: str) -> str:
    """Return *output* as a document shows it: keys and long texts shortened."""
    if kind == "json":
        try:
            return f"{format_json(_shorten(json.loads(output)))}\n"
        except ValueError:
            return f"{output}\n"
    return f"{_shorten_keys(output.strip())}\n" if output.strip() else ""


def _shorten(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {name: _shorten(each) for name, each in value.items()}
        case list():
            return [_shorten(each) for each in value]
        case str():
            text = _shorten_keys(value)
            return text if len(text) <= LONG_TEXT or " " in text[:LONG_TEXT] else f"{text[: LONG_TEXT // 2]}…"
    return value


def _shorten_keys(text: str) -> str:
    return re.sub(rf"\b([psw]k_\w{{{KEY_CHARACTERS}}})\w+", r"\1…", text)


def _normalize_json(value: Any, name: str = "", parent: str = "") -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {each: _normalize_json(inner, each, name) for each, inner in value.items()}
        case list():
            return [_normalize_json(inner, name, parent) for inner in value]
        case str() | int() | None if name in VARYING_MEMBERS:
            return "<varies>"
        case int() if name in VARYING_COUNTS or parent in VARYING_COUNTS:
            return "<varies>"
        case str():
            return _normalize_text(_shorten(value))
    return value


def _normalize_text(text: str) -> str:
    for pattern, name in VARYING_TEXTS:
        text = pattern.sub(name, text)
    return re.sub(r"\S+…", "<long>", text) if text.endswith("…") else text


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
