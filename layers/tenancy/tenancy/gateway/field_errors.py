"""The fields of a request that pydantic refuses, with our own codes and texts."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, get_args

from pydantic_core.core_schema import ErrorType

from tenancy.errors import BODY, FieldError
from tenancy.rules.json_members import MAX_MEMBER_ERRORS, MISSING_TEXT, NO_OBJECT_TEXT, UNKNOWN_MEMBER_TEXT, locate

PYDANTIC_TYPES: Final = frozenset(get_args(ErrorType))
# Code and text of each error type of pydantic that a route can cause. The text may show values of the constraint.
# A test finds the types that the models and parameters of all routes can cause, and fails for one that is not here.
TEXTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "missing": ("missing", MISSING_TEXT),
        "extra_forbidden": ("unknown_member", UNKNOWN_MEMBER_TEXT),
        "model_type": ("invalid_type", NO_OBJECT_TEXT),
        "model_attributes_type": ("invalid_type", NO_OBJECT_TEXT),
        "string_type": ("invalid_type", "Expected a text."),
        "string_too_short": ("too_short", "Expected at least {length}."),
        "string_too_long": ("too_long", "Expected at most {length}."),
        "list_type": ("invalid_type", "Expected a list."),
        "too_short": ("too_short", "Expected at least {length}."),
        "too_long": ("too_long", "Expected at most {length}."),
        "string_unicode": ("invalid_characters", "Expected valid Unicode text, without lone surrogates."),
        "int_type": ("invalid_type", "Expected a whole number."),
        "bool_type": ("invalid_type", "Expected true or false."),
        "greater_than_equal": ("out_of_range", "Expected at least {ge}."),
        "less_than_equal": ("out_of_range", "Expected at most {le}."),
        "uuid_type": ("invalid_type", "Expected a UUID."),
        "uuid_parsing": ("invalid", "Expected a UUID."),
        "enum": ("unknown", "Expected {expected}."),
        "literal_error": ("unknown", "Expected {expected}."),
    }
)
LENGTHS: Final = ("min_length", "max_length")  # of a constraint, in the context of its error
# The unit of a length, by pydantic's type of the value: a text has none, and that of a secret text is `Value`.
UNITS: Final[Mapping[str | None, str]] = MappingProxyType(
    {None: "character", "Value": "character", "Dictionary": "member"}
)
UNIT_OF_LISTS: Final = "element"
NO_BODY_TEXT: Final = "The request needs a body, a JSON object."
OTHER: Final = ("invalid", "The value is not valid.")
OWN_TEXT: Final = "value_error"  # a validator of ours raised a ValueError, whose text is for the client


def list_field_errors(entries: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Return *entries*, errors of pydantic, as errors for the client.

    At most `MAX_MEMBER_ERRORS` are returned.
    """
    return [_field_error(entry) for _, entry in zip(range(MAX_MEMBER_ERRORS), entries, strict=False)]


def _field_error(entry: Mapping[str, Any]) -> FieldError:
    code, text = _describe(entry)
    return FieldError(location=_location(entry["loc"]), code=code, message=text)


def _describe(entry: Mapping[str, Any]) -> tuple[str, str]:
    if entry["type"] == "missing" and tuple(entry["loc"]) == (BODY,):
        return "missing", NO_BODY_TEXT
    kind, context = str(entry["type"]), entry.get("ctx") or {}
    if kind not in PYDANTIC_TYPES:  # a PydanticCustomError of a validator of ours
        return kind, str(entry["msg"])
    if kind == OWN_TEXT and type(context.get("error")) is ValueError:
        return "invalid", str(context["error"])
    code, text = TEXTS.get(kind, OTHER)
    shown = {name: str(value).replace("'", "") for name, value in context.items()}
    return code, text.format_map({**shown, "length": _length(context)})


def _length(context: Mapping[str, Any]) -> str:
    """Return the length that a constraint expects, with its unit. Without such a constraint it is empty."""
    for most in (context[name] for name in LENGTHS if name in context):
        unit = UNITS.get(context.get("field_type"), UNIT_OF_LISTS)
        return f"{most} {unit}{'' if most == 1 else 's'}"
    return ""


def _location(steps: Sequence[object]) -> str:
    """Return the location of a field.

    For a query that is one model, the name of the model is left out.
    """
    match steps:
        case ["query", _, *names] if names:
            return locate("query", *names)
    return locate(*steps)
