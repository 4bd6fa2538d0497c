"""The types of members of answers, as docs/openapi.json shows them.

The functions of `documents` make the answers. The classes there whose names end in `Answer` document them. Tests
compare both.
"""

from typing import Annotated, TypedDict

from pydantic import Field, WithJsonSchema

from tenancy.rules.cursors import MAX_CURSOR_CHARACTERS

Date = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
Money = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(?:\.[0-9]+)?$"})]
Seal = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{64}$"})]
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Uuid = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]


class PaginationAnswer(TypedDict):
    """The place of a page in its list."""

    next_cursor: Annotated[str, Field(max_length=MAX_CURSOR_CHARACTERS)] | None
    has_more: bool


class PageAnswer[Row](TypedDict):
    """One page of a list."""

    data: list[Row]
    pagination: PaginationAnswer
