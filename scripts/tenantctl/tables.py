"""Tables for a person. They fit the terminal and lose nothing without saying so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from scripts.tenantctl.texts import cell

GAP: Final = 2  # between two columns
WRAPPED_WIDTH: Final = 20  # a text column never becomes narrower than this
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
    "FAILED": "red",
}

type Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a listing. Its *least_width* shows each cell whole, on several lines if it is long text."""

    member: str
    heading: str
    cells: tuple[str, ...]
    is_number: bool
    is_whole: bool

    @property
    def least_width(self) -> int:
        """The narrowest width at which the column is readable."""
        natural = max(map(cell_len, (self.heading, *self.cells)))
        longest_word = max(map(cell_len, self.heading.split()))
        return natural if self.is_whole else min(natural, max(WRAPPED_WIDTH, longest_word))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Rows of a list. A narrow terminal omits the columns *omitted_first*, in that order."""

    columns: tuple[Column, ...]
    omitted_first: tuple[str, ...] = ()

    def fitted(self, width: int) -> tuple[Table | list[Table], tuple[str, ...]]:
        """Return a table that fits into *width*, and the headings of the columns that it omits.

        If a table cannot fit, it is one block for each row, with all columns.
        """
        kept = list(self.columns)
        for member in ("", *self.omitted_first):
            kept = [column for column in kept if column.member != member]
            if sum(column.least_width + GAP for column in kept) - GAP <= width:
                omitted = tuple(column.heading for column in self.columns if column not in kept)
                return _table_of(kept), omitted
        rows = zip(*(column.cells for column in self.columns), strict=True)
        return [_block_of(cells, self.columns) for cells in rows], ()


def table(rows: Iterable[Row], columns: Sequence[str], *, omitted_first: Sequence[str] = ()) -> Listing:
    """Return a listing of *rows*. A column is a member, or ``member.inner``, and its heading is the last part."""
    shown = list(rows)
    return Listing(columns=tuple(_column_of(shown, member) for member in columns), omitted_first=tuple(omitted_first))


def facts(document: Row, members: Sequence[str]) -> Table:
    """Return a table with one line for each of the *members* that *document* has."""
    return _pairs((member.replace("_", " "), cell(document[member])) for member in members if member in document)


def _column_of(rows: Sequence[Row], member: str) -> Column:
    values = [_member(row, member) for row in rows]
    heading = member.rpartition(".")[2].replace("_", " ")
    is_number = any(values) and all(_is_number(value) or value is None for value in values)
    return Column(
        member=member,
        heading=heading,
        cells=tuple(map(cell, values)),
        is_number=is_number,
        is_whole=is_number or heading.endswith(("id", " at")),
    )


def _table_of(columns: Sequence[Column]) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(
            Text(column.heading),
            justify="right" if column.is_number else "left",
            min_width=column.least_width,
            no_wrap=column.is_whole,
            overflow="fold",
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        made.add_row(*map(_styled, cells))
    return made


def _block_of(cells: Sequence[str], columns: Sequence[Column]) -> Table:
    return _pairs((column.heading, text) for column, text in zip(columns, cells, strict=True))


def _pairs(pairs: Iterable[tuple[str, str]]) -> Table:
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for heading, text in pairs:
        made.add_row(Text(heading), _styled(text))
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
