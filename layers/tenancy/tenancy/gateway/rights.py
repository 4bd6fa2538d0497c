"""The right that a route needs. It is checked before the body of a request is read.

A function without one of these decorators cannot be a route: `handler_of` refuses it when the function starts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tenancy.rules.tenant import Caller, require_member, require_operator, require_operator_or_own, require_tenant

RIGHT: Final = "right"
CALLERS: Final = "callers"

# Takes the caller and the organization in the path (None without one), and raises a refusal without the right.
type Right = Callable[[Caller, UUID | None], Caller]


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """The callers that a route is for: operators, tenants, or both. A public route is for all.

    *permission* is the one that a tenant needs. If it is None, no tenant may call the route, except members with any
    role if *are_members*.
    A public route has no caller: its function checks the credential in the body.
    """

    are_operators: bool
    permission: str | None
    are_members: bool = False
    is_public: bool = False


def for_tenants[F: Callable[..., Any]](permission: str) -> Callable[[F], F]:
    """Let tenants with *permission* call the decorated route."""
    callers = Callers(are_operators=False, permission=permission)
    return _mark(lambda caller, _: require_tenant(caller, permission), callers)


def for_operators[F: Callable[..., Any]](function: F) -> F:
    """Let operators call the decorated route."""
    mark: Callable[[F], F] = _mark(require_operator, Callers(are_operators=True, permission=None))
    return mark(function)


def for_operators_or_own[F: Callable[..., Any]](permission: str) -> Callable[[F], F]:
    """Let operators, and tenants with *permission* on their own path, call the decorated route."""
    callers = Callers(are_operators=True, permission=permission)
    return _mark(lambda caller, organization_id: require_operator_or_own(caller, organization_id, permission), callers)


def for_members[F: Callable[..., Any]](function: F) -> F:
    """Let a member with an access token call the decorated route, with any role."""
    callers = Callers(are_operators=False, permission=None, are_members=True)
    mark: Callable[[F], F] = _mark(lambda caller, _: require_member(caller), callers)
    return mark(function)


def for_public[F: Callable[..., Any]](function: F) -> F:
    """Let a request without a caller call the decorated route.

    The function of the route checks the credential in the body, if it needs one.
    """
    callers = Callers(are_operators=False, permission=None, is_public=True)
    mark: Callable[[F], F] = _mark(lambda caller, _: caller, callers)
    return mark(function)


def right_of(function: Callable[..., Any]) -> Right:
    """Return the right that the route *function* needs.

    Raises:
        LookupError: the function has no decorator of this module.
    """
    right: Right | None = vars(function).get(RIGHT)
    if right is None:
        raise LookupError(f"The route {function.__name__} does not say which right it needs.")
    return right


def callers_of(function: Callable[..., Any]) -> Callers:
    """Return the callers that the route *function* is for. It has a decorator of this module."""
    callers: Callers = vars(function)[CALLERS]
    return callers


def _mark[F: Callable[..., Any]](right: Right, callers: Callers) -> Callable[[F], F]:
    def mark(function: F) -> F:
        vars(function).update({RIGHT: right, CALLERS: callers})
        return function

    return mark
