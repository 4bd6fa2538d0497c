"""A function sees the caller of the authorizer until the credential expires."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import UnauthenticatedError
from tenancy.gateway import context
from tenancy.gateway.context import parse_context, to_context
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.tenant import Caller, CallerKind, Operator, RateBucket, Tenant
from tests.given import ROOT
from tests.members import for_each

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ACME = Tenant(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    subdomain="acme",
    scopes=frozenset({"stats:read", "events:write"}),
    credential_id=UUID("0a000000-0000-4000-8000-0000000000c1"),
    kind=CallerKind.KEY,
)
PERSON = replace(ACME, kind=CallerKind.PERSON, epoch="3.7", expires_at=NOW + timedelta(minutes=15))
APP = UUID("0a000000-0000-4000-8000-0000000000a1")
OPERATOR = Operator(credential_id=UUID("0c000000-0000-4000-8000-0000000000c2"))
EXPIRY = st.none() | st.integers(1, 10**9).map(
    lambda seconds: (NOW + timedelta(seconds=seconds)).replace(microsecond=0)
)


def find_caller(sent: dict[str, Any]) -> Caller | None:
    try:
        return parse_context(sent, now=NOW)
    except UnauthenticatedError:
        return None


def tenants(
    kind: CallerKind,
    epoch: st.SearchStrategy[str],
    expires_at: st.SearchStrategy[datetime | None],
    app_id: st.SearchStrategy[UUID | None],
    session_id: st.SearchStrategy[UUID | None],
) -> st.SearchStrategy[Tenant]:
    return st.builds(
        Tenant,
        organization_id=st.uuids(),
        subdomain=st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True),
        scopes=st.frozensets(st.sampled_from(sorted(PERMISSIONS))),
        credential_id=st.uuids(),
        kind=st.just(kind),
        bucket=st.sampled_from(RateBucket),
        epoch=epoch,
        expires_at=expires_at,
        app_id=app_id,
        session_id=session_id,
    )


TENANTS = tenants(CallerKind.KEY, st.just(""), EXPIRY, st.none() | st.uuids(), st.none()) | tenants(
    CallerKind.PERSON,
    st.from_regex(r"[0-9]+\.[0-9]+", fullmatch=True),
    EXPIRY.filter(bool),
    st.none(),
    st.none() | st.uuids(),
)
OPERATORS = st.builds(Operator, credential_id=st.uuids(), expires_at=EXPIRY)


@given(TENANTS | OPERATORS)
def test_caller_survives_the_gateway_context(caller: Caller) -> None:
    travelled = {name: str(value) for name, value in json.loads(json.dumps(to_context(caller))).items()}
    assert parse_context(travelled, now=NOW) == caller


TEXTS = ["key", "person", "operator", "", "0.0", "management", "4102444800", str(APP), str(ACME.organization_id)]
VALUES: st.SearchStrategy[Any] = st.sampled_from([*TEXTS, None, 1, []])


@given(st.lists(st.dictionaries(st.sampled_from(context.MEMBERS), VALUES), max_size=8), TENANTS | OPERATORS)
def test_kept_caller_is_that_of_its_context(changes: list[dict[str, Any]], caller: Caller) -> None:
    contexts = [{**to_context(caller), **changed} for changed in changes]
    contexts += [{name: value for name, value in each.items() if value != ""} for each in contexts]
    known = [find_caller(each) for each in (*contexts, *contexts)]

    fresh = []
    for each in contexts:
        context._caller.cache_clear()
        fresh.append(find_caller(each))

    assert known == fresh * 2


def test_every_member_of_a_context_is_read() -> None:
    callers = (OPERATOR, replace(ACME, app_id=APP), replace(PERSON, session_id=APP))
    assert {name for each in callers for name in to_context(each)} == set(context.MEMBERS)


def test_kept_caller_expires() -> None:
    travelled = to_context(PERSON)
    assert parse_context(travelled, now=NOW) == PERSON

    with pytest.raises(UnauthenticatedError):
        parse_context(travelled, now=NOW + timedelta(minutes=15))


@pytest.mark.parametrize("caller", [ACME, OPERATOR, PERSON], ids=["tenant", "operator", "person"])
def test_context_has_texts_only(caller: Caller) -> None:
    assert all(type(value) is str for value in map(str.__str__, to_context(caller).values()))


def test_context_of_a_tenant_has_its_scopes() -> None:
    assert to_context(ACME) == {
        "credential_id": "0a000000-0000-4000-8000-0000000000c1",
        "organization_id": "0a000000-0000-4000-8000-00000000000a",
        "subdomain": "acme",
        "bucket": "management",
        "epoch": "",
        "kind": "key",
        "scopes": "events:write stats:read",
    }


def test_context_of_an_operator_names_no_organization() -> None:
    assert to_context(OPERATOR) == {"credential_id": "0c000000-0000-4000-8000-0000000000c2", "kind": "operator"}


def test_members_added_by_the_gateway_are_ignored() -> None:
    added = {"principalId": "user", "integrationLatency": "38"}
    assert parse_context({**to_context(ACME), **added}, now=NOW) == ACME


@pytest.mark.parametrize("caller", [ACME, OPERATOR])
def test_expired_credential_in_a_cached_policy_is_refused(caller: Caller) -> None:
    context = to_context(replace(caller, expires_at=NOW))

    assert parse_context(context, now=NOW - timedelta(seconds=1)).expires_at == NOW
    for moment in (NOW, NOW + timedelta(seconds=1)):
        with pytest.raises(UnauthenticatedError):
            parse_context(context, now=moment)


BROKEN: list[dict[str, Any]] = [
    {},
    {"principalId": "user"},
    {"organization_id": str(ACME.organization_id)},
    {"credential_id": str(OPERATOR.credential_id)},
    {"credential_id": str(OPERATOR.credential_id), "organization_id": ""},
    {"kind": "operator"},
    {"kind": "operator", "credential_id": ""},
    {"kind": "operator", "credential_id": "me"},
    {"kind": "operator", "credential_id": None},
    {**to_context(OPERATOR), "organization_id": ""},
    {**to_context(OPERATOR), "organization_id": str(ACME.organization_id)},
    {**to_context(OPERATOR), "kind": ""},
    {**to_context(OPERATOR), "kind": "Operator"},
    {**to_context(OPERATOR), "kind": "key"},
    {**to_context(OPERATOR), "kind": ["operator"]},
    {**to_context(OPERATOR), "expires_at": "soon"},
    {**to_context(OPERATOR), "expires_at": "9" * 40},
    {**to_context(ACME), "kind": "operator"},
    {**to_context(ACME), "kind": "robot"},
    {**to_context(ACME), "organization_id": ""},
    {**to_context(ACME), "organization_id": "acme"},
    {**to_context(ACME), "scopes": None},
    {**to_context(ACME), "bucket": "all"},
    {**to_context(ACME), "epoch": "0.0"},
    *({**to_context(PERSON), "epoch": epoch} for epoch in ("", " ", "0", ".", "0.", ".0", "0.0.0", "a.b", None, 0)),
    {**to_context(PERSON), "expires_at": ""},
    {**to_context(PERSON), "app_id": str(APP)},
    {**to_context(ACME), "session_id": str(APP)},
    *({**to_context(PERSON), "session_id": session_id} for session_id in ("", "acme", None)),
    *({**to_context(ACME), "app_id": app_id} for app_id in ("", "acme", None)),
    {**to_context(PERSON), "kind": "key"},
    *(
        {name: value for name, value in to_context(caller).items() if name != missing}
        for caller in (OPERATOR, ACME, PERSON)
        for missing in to_context(caller)
    ),
]


@for_each("context", BROKEN, ids=str)
def test_context_without_a_principal_is_unauthenticated(context: dict[str, str]) -> None:
    with pytest.raises(UnauthenticatedError):
        parse_context(context, now=NOW)


def test_cached_context_of_a_tenant_of_the_release_before_is_known() -> None:
    """It differs in nothing, so a cached answer serves its minute through an upgrade."""
    context = {
        "credential_id": "0a000000-0000-4000-8000-0000000000c1",
        "organization_id": "0a000000-0000-4000-8000-00000000000a",
        "subdomain": "acme",
        "kind": "key",
        "bucket": "management",
        "epoch": "",
        "scopes": "events:write stats:read",
    }

    assert parse_context(context, now=NOW) == ACME


def test_each_sample_event_has_a_principal() -> None:
    contexts = {}
    for file in (ROOT / "events").glob("*/*.json"):
        context = json.loads(file.read_text()).get("requestContext", {}).get("authorizer")
        if context is not None:
            contexts[file.name] = parse_context(context, now=NOW)

    assert {caller.kind for caller in contexts.values()} >= {CallerKind.OPERATOR, CallerKind.KEY}
