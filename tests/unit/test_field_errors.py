"""Errors of pydantic become texts for clients that name the unit of a length."""

from typing import Annotated, Any

import pytest
from pydantic import Field, SecretStr, TypeAdapter, ValidationError

from tenancy.gateway.field_errors import list_field_errors

KINDS: dict[str, tuple[Any, str, Any, Any]] = {
    "text": (str, "character", "", "xxx"),
    "secret text": (SecretStr, "character", "", "xxx"),
    "list": (list[int], "element", [], [1, 2, 3]),
    "set": (set[int], "element", [], [1, 2, 3]),
    "tuple": (tuple[int, ...], "element", [], [1, 2, 3]),
    "object": (dict[str, int], "member", {}, {"a": 1, "b": 2, "c": 3}),
}


def message_of(kind: Any, value: object) -> tuple[str, str]:  # noqa: ANN401 - a type
    limited: TypeAdapter[Any] = TypeAdapter(Annotated[kind, Field(min_length=1, max_length=2)])
    with pytest.raises(ValidationError) as refused:
        limited.validate_python(value)

    [error] = list_field_errors(refused.value.errors())
    return error.code, error.message


@pytest.mark.parametrize("name", KINDS)
def test_length_has_the_unit_of_its_value(name: str) -> None:
    kind, unit, short, long = KINDS[name]

    assert message_of(kind, short) == ("too_short", f"Expected at least 1 {unit}.")
    assert message_of(kind, long) == ("too_long", f"Expected at most 2 {unit}s.")
