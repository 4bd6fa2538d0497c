"""Types of the parameters of routes, with texts for people where a value does not fit."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from tenancy.rules.cursors import CURSOR_TEXT, MAX_CURSOR_CHARACTERS, is_cursor
from tenancy.rules.quotas import METERED
from tenancy.rules.resolution import find_id
from tenancy.rules.statistics import NO_APP

DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,19}")
WITHOUT_APP: Final = "none"


def parse_day(text: object) -> object:
    """Return the day that *text* names as `YYYY-MM-DD`.

    Raises:
        ValueError: *text* is no such day.
    """
    expected = "Expected a day as YYYY-MM-DD, such as 2026-11-24."
    if not isinstance(text, str):
        return text
    if not DAY.fullmatch(text):
        raise ValueError(expected)
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(expected) from error


def parse_whole_number(text: object) -> object:
    """Return the number that *text* has in the digits 0 to 9.

    Raises:
        ValueError: *text* has another form.
    """
    if not isinstance(text, str):
        return text
    if not WHOLE_NUMBER.fullmatch(text):
        raise ValueError("Expected a whole number.")
    return int(text)


def parse_id(text: object) -> object:
    """Return the id that *text* has in its canonical spelling, in upper or lower case.

    Raises:
        ValueError: *text* has another form.
    """
    if not isinstance(text, str):
        return text
    found = find_id(text)
    if found is None:
        raise ValueError("Expected a UUID.")
    return found


def parse_app(text: object) -> object:
    """Return the id of an app that *text* has, or `NO_APP` for the text `none`.

    Raises:
        ValueError: *text* has another form.
    """
    if not isinstance(text, str):
        return text
    found = NO_APP if text == WITHOUT_APP else find_id(text)
    if found is None:
        raise ValueError("Expected the UUID of an app, or `none` for events without an app.")
    return found


def check_cursor(text: str) -> str:
    """Return *text* if it has the form of a cursor.

    Raises:
        ValueError: *text* has another form.
    """
    if not is_cursor(text):
        raise ValueError(CURSOR_TEXT)
    return text


@dataclass(frozen=True, slots=True)
class Matching:
    """A validator of pydantic for texts that match the whole *pattern*.

    *expected* describes it for people.
    """

    pattern: str
    expected: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Check the text after its type."""
        compiled = re.compile(self.pattern)

        def check(text: str) -> str:
            if not compiled.fullmatch(text):
                raise ValueError(self.expected)
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Document the pattern."""
        return {**handler(schema), "pattern": f"^{self.pattern}$"}


# Not `type` statements: Powertools does not resolve type aliases in annotations.
AppId = Annotated[
    UUID,
    BeforeValidator(parse_app),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "string", "const": WITHOUT_APP}]}),
]
Cursor = Annotated[
    str, AfterValidator(check_cursor), WithJsonSchema({"type": "string", "maxLength": MAX_CURSOR_CHARACTERS})
]
Day = Annotated[date, BeforeValidator(parse_day)]
Id = Annotated[UUID, BeforeValidator(parse_id)]
MetricName = Annotated[str, WithJsonSchema({"type": "string", "enum": sorted(METERED)})]  # another name is 404
WholeNumber = Annotated[int, BeforeValidator(parse_whole_number)]
