"""The output of a command: tables or JSON on standard output, all else on standard error."""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TextIO

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from scripts.tenantctl.errors import CommandError
from scripts.tenantctl.tables import Listing, Row
from scripts.tenantctl.texts import as_json, visible

TICK_SECONDS: Final = 0.5
ERRORS_SENTENCE: Final = " `errors` lists the fields."
PLAIN_COLUMNS: Final = 4096  # of a pipe or a file: each row is one line


def console_of(file: TextIO | None) -> Console:
    """Return a console that writes escape sequences to a terminal only, and no colour if NO_COLOR is set.

    It discards its text if *file* is a stream that was closed before the process began.
    """
    if file is None:
        return Console(file=io.StringIO())
    is_styled = file.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Console(
        file=file,
        force_terminal=file.isatty(),
        color_system="auto" if is_styled else None,
        width=None if file.isatty() else PLAIN_COLUMNS,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=not file.isatty(),
    )


class Terminal:
    """Where a command writes. With *is_json* documents are JSON, and so are errors."""

    def __init__(self, *, is_json: bool) -> None:
        """Write to the streams of this process."""
        self.is_json = is_json
        self._out = console_of(sys.stdout)
        self._err = console_of(sys.stderr)

    def show(self, document: object, *parts: Listing | Table | str) -> None:
        """Write *document* as JSON, or *parts*: tables and lines of text."""
        if self.is_json:
            self._write(as_json(document))
            return
        for part in parts:
            self._show_part(part)
        pagination = document.get("pagination") if isinstance(document, Mapping) else None
        if pagination and pagination["has_more"]:
            self.note("There are more rows. Raise --limit.")

    def _show_part(self, part: Listing | Table | str) -> None:
        if isinstance(part, str):
            self._write(visible(part))
            return
        fitted, omitted = part.fitted(self._out.width) if isinstance(part, Listing) else (part, ())
        tables = fitted if isinstance(fitted, list) else [fitted]
        self._write("\n\n".join(map(self._rendered, tables)))
        if omitted:
            self.note(f"Too narrow for: {', '.join(omitted)}. A wider terminal, a pipe and --json have all columns.")

    def show_line(self, document: Row, text_of: Callable[[Row], str]) -> None:
        """Write one of several documents: on a line of its own, as JSON or as its text, at once."""
        self._write(as_json(document, indent=None) if self.is_json else visible(text_of(document)))

    def note(self, text: str) -> None:
        """Write a line for a person, unless the output is for a program."""
        if not self.is_json:
            self._err.print(Text(visible(text)))

    def fail(self, error: CommandError) -> None:
        """Write *error* to standard error: its problem document, or its text for a person."""
        if self.is_json:
            print(as_json({**error.problem, "exit_code": int(error.exit_code)}), file=sys.stderr)
            return
        listed = error.problem.get("errors")
        faults = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        # They are below, and the person never sees a member `errors`.
        text = str(error).removesuffix(ERRORS_SENTENCE) if faults else str(error)
        lines = [f"Error: {visible(text)}"]
        lines += [f"  {visible(str(each.get('location')))}: {visible(str(each.get('message')))}" for each in faults]
        code, request_id = error.code, error.problem.get("request_id")
        if request_id:
            lines.append(f"  code {visible(code)}, request id {visible(str(request_id))}")
        lines += [error.hint] if error.hint else []
        for line in lines:
            self._err.print(Text(line, style="red" if line.startswith("Error") else ""))

    @contextmanager
    def waiting(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show *text* while the block runs. It may replace the text, for example by a countdown.

        On a terminal the line is replaced in place. Elsewhere *text* is one line, and replacements are not shown.
        """
        if not self._err.is_terminal or self.is_json:
            self.note(text)
            yield lambda _text: None
            return
        with Status(Text(visible(text)), console=self._err) as status:
            yield lambda text: status.update(Text(visible(text)))

    @contextmanager
    def waiting_quietly(self, text: str) -> Iterator[None]:
        """Show *text* while the block runs, on a terminal only."""
        if not self._err.is_terminal or self.is_json:
            yield
            return
        with self.waiting(text):
            yield

    def sleep(self, seconds: float, text_of: Callable[[float], str]) -> None:
        """Sleep for *seconds*, and show the text for the seconds that are left."""
        end = time.monotonic() + seconds
        with self.waiting(text_of(seconds)) as show:
            while (left := end - time.monotonic()) > 0:
                show(text_of(left))
                time.sleep(min(left, TICK_SECONDS))

    def confirm(self, action: str, meaning: str, expected: str, *, is_confirmed: bool) -> None:
        """Ask the person to type *expected*, unless *is_confirmed*.

        *meaning* is its description, such as "its name".

        Raises:
            CommandError: another text was typed, or there is no terminal.
        """
        if is_confirmed:
            return
        if not sys.stdin.isatty():
            raise CommandError.usage(f"To {visible(action)} without a terminal, add --yes.")
        try:
            print(f"To {visible(action)}, type {meaning}, {visible(expected)}: ", end="", file=sys.stderr, flush=True)
            typed = sys.stdin.readline().strip()
        except KeyboardInterrupt:
            print("\nNothing was done.", file=sys.stderr)
            raise
        if typed != visible(expected):
            raise CommandError.usage(f"Nothing was done: {visible(expected)} was not typed.")

    def _write(self, text: str) -> None:
        try:
            print(text, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            _discard_output()
            raise CommandError.usage(f"The output cannot be written: {error.strerror}.") from error

    def _rendered(self, table: Table) -> str:
        with self._out.capture() as captured:
            self._out.print(table)
        return "\n".join(line.rstrip() for line in captured.get().splitlines())


def require_output() -> None:
    """Refuse to begin without standard output: the text of a new key would be lost.

    Raises:
        CommandError: standard output was closed before the process began.
    """
    if sys.stdout is None:
        raise CommandError.usage("Standard output is closed. Nothing was done.")


def _discard_output() -> None:
    """Send the rest of standard output nowhere. Else the interpreter fails again, when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
