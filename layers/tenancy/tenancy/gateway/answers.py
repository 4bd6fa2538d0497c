"""The answers of a route, from which docs/openapi.json is written.

A route without the decorator `answers` is in no document: `make openapi` and the tests fail for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from tenancy.errors import Refusal

ANSWERS: Final = "answers"
NO_HEADERS: Final[Mapping[str, bool]] = MappingProxyType({})
NO_REFUSED_HEADERS: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answer of a route to a request that succeeded, and the refusals of its own.

    *document* is the type of the answer, or None for an answer without a body. *media_types* are those that the client
    may request instead of JSON. *headers* are the route's own ones by name: True if each answer has it. The
    refusals of all routes with a credential are not in *refusals*. *refused_headers* are those that a refusal may have,
    by its status.
    """

    document: object
    status: int
    refusals: tuple[type[Refusal], ...]
    media_types: tuple[str, ...]
    headers: Mapping[str, bool]
    refused_headers: Mapping[int, tuple[str, ...]]


def answers[F: Callable[..., Any]](
    document: object,
    *refusals: type[Refusal],
    status: int = HTTPStatus.OK,
    media_types: tuple[str, ...] = (),
    headers: Mapping[str, bool] = NO_HEADERS,
    refused_headers: Mapping[int, tuple[str, ...]] = NO_REFUSED_HEADERS,
) -> Callable[[F], F]:
    """Document the answer of the decorated route and the *refusals* of its own."""
    declared = Answers(
        document=document,
        status=int(status),
        refusals=refusals,
        media_types=media_types,
        headers=headers,
        refused_headers=refused_headers,
    )

    def mark(function: F) -> F:
        vars(function)[ANSWERS] = declared
        return function

    return mark


def answers_of(function: Callable[..., Any]) -> Answers:
    """Return the documented answers of the route *function*.

    Raises:
        LookupError: the function has no decorator of this module.
    """
    declared: Answers | None = vars(function).get(ANSWERS)
    if declared is None:
        raise LookupError(f"The route {function.__name__} does not document its answers (gateway/answers.py).")
    return declared
