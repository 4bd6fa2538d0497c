"""The output of a command: tables or JSON on standard output, all else on standard error."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TextIO

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from scripts.tenantctl.errors import CommandError
from scripts.tenantctl.texts import as_json, cell, visible

TICK_SECONDS: Final = 0.5
PLAIN_COLUMNS: Final = 4096  # of a pipe or a file: each row is one line
STYLES: Final = {
    "active": "green",
    "ok": "green",
    "done": "green",
    "stored": "green",
    "expiring": "yellow",
    "held": "yellow",
    "suspended": "yellow",
    "deleted": "red",
    "erasing": "red",
    "erased": "red",
    "expired": "red",
    "refused": "red",
    "revoked": "red",
    "unknown": "red",
    "WRONG": "red",
}

type Row = Mapping[str, Any]


def console_of(file: TextIO) -> Console:
    """Return a console that writes escape sequences to a terminal only, and no colour if NO_COLOR is set."""
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

    def show(self, document: object, *parts: Table | str) -> None:
        """Write *document* as JSON, or *parts*: tables and lines of text."""
        if self.is_json:
            self._write(as_json(document))
            return
        for part in parts:
            self._write(visible(part) if isinstance(part, str) else self._rendered(part))
        pagination = document.get("pagination") if isinstance(document, Mapping) else None
        if pagination and pagination["has_more"]:
            self.note("There are more rows. Raise --limit.")

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
        lines = [f"Error: {visible(str(error))}"]
        listed = error.problem.get("errors")
        faults = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
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
        if not sys.stderr.isatty() or self.is_json:
            self.note(text)
            yield lambda _text: None
            return
        with Status(Text(visible(text)), console=self._err) as status:
            yield lambda text: status.update(Text(visible(text)))

    @contextmanager
    def waiting_quietly(self, text: str) -> Iterator[None]:
        """Show *text* while the block runs, on a terminal only."""
        if not sys.stderr.isatty() or self.is_json:
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

    def confirm(self, action: str, name: str, *, is_confirmed: bool) -> None:
        """Ask for *name* to be typed, unless *is_confirmed*.

        Raises:
            CommandError: another text was typed, or there is no terminal.
        """
        if is_confirmed:
            return
        if not sys.stdin.isatty():
            raise CommandError.usage(f"To {visible(action)} without a terminal, add --yes.")
        print(f"To {visible(action)}, type its name, {visible(name)}: ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip() != visible(name):
            raise CommandError.usage("Nothing was done: another name was typed.")

    def _write(self, text: str) -> None:
        print(text, flush=True)

    def _rendered(self, table: Table) -> str:
        with self._out.capture() as captured:
            self._out.print(table)
        return "\n".join(line.rstrip() for line in captured.get().splitlines())


def table(rows: Iterable[Row], columns: Sequence[str], *, title: str | None = None) -> Table:
    """Return a table of *rows*. A column is a member, or ``member.inner``, and its heading is the last part."""
    made = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    made.title = None if title is None else Text(visible(title), style="bold")
    shown = list(rows)
    for column in columns:
        values = [_member(row, column) for row in shown]
        is_number = any(values) and all(_is_number(value) or value is None for value in values)
        heading = column.rpartition(".")[2].replace("_", " ")
        is_id = heading.endswith(("id", " at"))
        made.add_column(Text(heading), justify="right" if is_number else "left", no_wrap=is_id, overflow="fold")
    for row in shown:
        made.add_row(*(_styled(cell(_member(row, column))) for column in columns))
    return made


def facts(document: Row, members: Sequence[str]) -> Table:
    """Return a table with one line for each of the *members* that *document* has."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for member in members:
        if member in document:
            made.add_row(Text(member.replace("_", " ")), _styled(cell(document[member])))
    return made


def _member(row: Row, column: str) -> Any:  # noqa: ANN401 - JSON
    value: Any = row
    for name in column.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _styled(text: str) -> Text:
    return Text(text, style=STYLES.get(text, ""))
