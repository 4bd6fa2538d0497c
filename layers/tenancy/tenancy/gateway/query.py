"""The query members of a request: unknown ones and repeated ones are refused."""

from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any, Final

from tenancy.errors import QUERY, FieldError, InvalidError
from tenancy.gateway.http import Request
from tenancy.rules.json_members import MAX_MEMBER_ERRORS, locate
from tenancy.rules.resolution import ORGANIZATION_MEMBER

ANY_QUERY: Final = "any_query"
UNKNOWN_QUERY_TEXT: Final = "The route has no such query member. Correct its spelling or omit it."
REPEATED_QUERY_TEXT: Final = "The query member is repeated. Send it once."


def takes_any_query[F: Callable[..., Any]](function: F) -> F:
    """Let the decorated route take unknown and repeated query members: a server that we do not know names them."""
    vars(function)[ANY_QUERY] = True
    return function


def is_any_query_taken(function: Callable[..., Any]) -> bool:
    """Tell whether the route *function* takes unknown and repeated query members."""
    return bool(vars(function).get(ANY_QUERY))


def list_query_errors(request: Request, known: Collection[str]) -> list[FieldError]:
    """Return an error for each query member that is not in *known*, or has several values.

    `organization_id` is known everywhere. The caller has compared it before.
    """
    return list(islice(_find_errors(request, known), MAX_MEMBER_ERRORS))


def _find_errors(request: Request, known: Collection[str]) -> Iterator[FieldError]:
    for name, values in request.query_values.items():
        if name not in known and name != ORGANIZATION_MEMBER:
            yield FieldError(location=locate(QUERY, name), code="unknown_member", message=UNKNOWN_QUERY_TEXT)
        elif len(values) > 1:
            yield FieldError(location=locate(QUERY, name), code="repeated", message=REPEATED_QUERY_TEXT)


def require_known_query(request: Request, known: Collection[str] = ()) -> None:
    """Refuse a query with unknown or repeated members.

    Raises:
        InvalidError: the query has a member that is not in *known*, or one with several values.
    """
    errors = list_query_errors(request, known)
    if errors:
        raise InvalidError("The query is not valid. `errors` lists the fields.", errors=errors)
