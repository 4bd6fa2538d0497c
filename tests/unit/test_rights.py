"""Each route declares the right that it needs, and a function without one does not start."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from tenancy.errors import ForbiddenError, ForeignPathError
from tenancy.gateway.resolver import api, handler_of
from tenancy.gateway.rights import (
    Callers,
    callers_of,
    for_members,
    for_operators,
    for_operators_or_own,
    for_public,
    for_tenants,
    right_of,
)
from tenancy.rules.permissions import STATS_READ, USAGE_READ
from tenancy.rules.tenant import Caller, CallerKind
from tests.handlers.requests import OPERATOR
from tests.handlers.sent_events import ACME

UNUSED: Any = None


@for_tenants("events:write")
def for_acme() -> None: ...


@for_operators
def for_platform() -> None: ...


@for_operators_or_own("events:write")
def for_both() -> None: ...


@for_operators_or_own(USAGE_READ)
def for_readers() -> None: ...


@for_members
def for_people() -> None: ...


@for_public
def for_all() -> None: ...


def test_member_passes_with_any_role() -> None:
    member = replace(ACME, kind=CallerKind.PERSON, epoch="0.0", scopes=frozenset())

    assert right_of(for_people)(member, None) == member


@pytest.mark.parametrize("caller", [ACME, OPERATOR], ids=["key", "operator"])
def test_key_is_no_member(caller: Caller) -> None:
    with pytest.raises(ForbiddenError, match="access token"):
        right_of(for_people)(caller, None)


def test_caller_with_the_right_passes() -> None:
    own = ACME.organization_id

    assert right_of(for_acme)(ACME, None) == ACME
    assert right_of(for_platform)(OPERATOR, own) == OPERATOR
    assert [right_of(for_both)(caller, own) for caller in (ACME, OPERATOR)] == [ACME, OPERATOR]


def test_caller_without_the_right_is_forbidden() -> None:
    for function, caller in ((for_acme, OPERATOR), (for_platform, ACME), (for_readers, ACME)):
        with pytest.raises(ForbiddenError):
            right_of(function)(caller, ACME.organization_id)


def test_tenant_has_no_right_on_a_foreign_path() -> None:
    for function in (for_platform, for_both):
        with pytest.raises(ForeignPathError):
            right_of(function)(ACME, uuid4())


def test_function_with_a_route_without_a_right_does_not_start() -> None:
    app = api()

    @app.get("/stats")
    @for_tenants(STATS_READ)
    def with_right() -> dict[str, str]:
        return {}

    @app.get("/usage")
    def without_right() -> dict[str, str]:
        return {}

    with pytest.raises(LookupError, match="without_right"):
        handler_of(app, hosts=UNUSED, domain_owners=UNUSED, upgrade_url=None, trail=UNUSED, gate=UNUSED)


def test_route_tells_its_callers() -> None:
    assert callers_of(for_acme) == Callers(are_operators=False, permission="events:write")
    assert callers_of(for_platform) == Callers(are_operators=True, permission=None)
    assert callers_of(for_both) == Callers(are_operators=True, permission="events:write")
    assert callers_of(for_people) == Callers(are_operators=False, permission=None, are_members=True)
    assert callers_of(for_all) == Callers(are_operators=False, permission=None, is_public=True)
