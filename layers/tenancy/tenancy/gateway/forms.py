"""The body of a public route that a page of another site sends as a form (application/x-www-form-urlencoded)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from tenancy.errors import MalformedRequestError
from tenancy.gateway.bodies import read_body
from tenancy.gateway.http import Request

FORM: Final = "form"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
MAX_FORM_MEMBERS: Final = 20
NO_FORM_TEXT: Final = (
    f"Expected a form (application/x-www-form-urlencoded) in UTF-8 with at most {MAX_FORM_MEMBERS} members."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The *members* of a form that a route reads, and the largest body that it takes. Other members are ignored."""

    members: tuple[str, ...]
    max_bytes: int

    def read(self, request: Request) -> dict[str, tuple[str, ...]]:
        """Return the values of each member in the body of *request*. A member that the body lacks has none.

        Raises:
            TooLargeError: the body is larger than the form may be. Nothing was parsed.
            MalformedRequestError: the body is no form, or has too many members.
        """
        body = read_body(request, most=self.max_bytes)
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_MEMBERS)
        except ValueError as error:
            raise MalformedRequestError(NO_FORM_TEXT) from error
        return {name: tuple(value for each, value in pairs if each == name) for name in self.members}


def takes_form[F: Callable[..., Any]](form: Form) -> Callable[[F], F]:
    """Let the decorated public route take *form* in place of JSON. Its function reads it."""

    def mark(function: F) -> F:
        vars(function)[FORM] = form
        return function

    return mark


def form_of(function: Callable[..., Any]) -> Form | None:
    """Return the form that the route *function* takes, or None."""
    return vars(function).get(FORM)
