"""Types of the parameters of routes, with texts for people where a value does not fit."""

import re
from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator

from tenancy.rules.cursors import CURSOR_TEXT, is_cursor
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


def matching(pattern: str, expected: str) -> Any:  # noqa: ANN401 - a validator of pydantic
    """Return a validator for texts that match the whole *pattern*.

    *expected* describes it for people.
    """
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(expected)
        return text

    return AfterValidator(check)


# Not `type` statements: Powertools does not resolve type aliases in annotations.
AppId = Annotated[UUID, BeforeValidator(parse_app)]
Cursor = Annotated[str, AfterValidator(check_cursor)]
Day = Annotated[date, BeforeValidator(parse_day)]
Id = Annotated[UUID, BeforeValidator(parse_id)]
WholeNumber = Annotated[int, BeforeValidator(parse_whole_number)]
