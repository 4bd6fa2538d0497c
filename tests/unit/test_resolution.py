"""The credential decides the organization of a request, and mentions may only confirm it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import ForbiddenError, ForeignPathError, NotFoundError, TenantMismatchError
from tenancy.rules.resolution import MentionSource, ResolutionOutcome
from tenancy.rules.tenant import Caller, Tenant
from tests.members import for_each
from tests.unit.decisions import (
    ACME,
    BASE_DOMAIN,
    DISAGREES,
    GLOBEX,
    HOST_TABLE,
    HOSTS,
    NAMES_NO_ORGANIZATION,
    OPERATOR,
    OTHER,
    OWN,
    decide,
    refusal,
    verdict,
)

# ------------------------------------------------------------------------------------------------------- the operator


@pytest.mark.parametrize("text", [OWN, "", "acme", OTHER])
def test_platform_key_with_the_header_is_forbidden(text: str) -> None:
    for decision in (
        decide(OPERATOR, (MentionSource.HEADER, text)),
        decide(OPERATOR, (MentionSource.PATH, OWN), (MentionSource.HEADER, text)),
    ):
        assert decision.outcome is ResolutionOutcome.FORBIDDEN
        refused = refusal(decision)
        assert isinstance(refused, ForbiddenError)
        assert (refused.status, refused.code, refused.sources) == (403, "forbidden", ())


@for_each("host", [host for host, judged in HOST_TABLE.items() if judged is not NAMES_NO_ORGANIZATION], ids=ascii)
def test_platform_key_on_a_tenants_host_is_forbidden(host: str) -> None:
    for source in HOSTS:
        assert decide(OPERATOR, (MentionSource.PATH, OWN), (source, host)).outcome is ResolutionOutcome.FORBIDDEN


@for_each("host", [host for host, judged in HOST_TABLE.items() if judged is NAMES_NO_ORGANIZATION], ids=ascii)
def test_platform_key_is_accepted_on_other_hosts(host: str) -> None:
    assert decide(OPERATOR, (MentionSource.HOST, host)).outcome is ResolutionOutcome.ACCEPTED


def test_path_selects_the_organization_of_an_operator() -> None:
    for text in (OTHER, OTHER.upper()):
        decision = decide(OPERATOR, (MentionSource.PATH, text))
        assert (decision.outcome, decision.organization_id) == (ResolutionOutcome.ACCEPTED, GLOBEX.organization_id)

    assert decide(OPERATOR).organization_id is None


@pytest.mark.parametrize("text", ["x", "", OWN.replace("-", ""), f"urn:uuid:{OWN}"])
def test_operator_path_without_an_id_selects_none(text: str) -> None:
    decision = decide(OPERATOR, (MentionSource.PATH, text))
    assert (decision.outcome, decision.organization_id) == (ResolutionOutcome.ACCEPTED, None)


@pytest.mark.parametrize("source", [MentionSource.QUERY, MentionSource.BODY])
def test_query_and_body_of_an_operator_must_match_the_path(source: MentionSource) -> None:
    assert decide(OPERATOR, (MentionSource.PATH, OWN), (source, OWN)).outcome is ResolutionOutcome.ACCEPTED
    for mentions in (
        [(MentionSource.PATH, OWN), (source, OTHER)],
        [(MentionSource.PATH, "x"), (source, OWN)],
        [(MentionSource.PATH, "x"), (source, "x")],
        [(source, OWN)],
        [(source, "x")],
        [(source, "")],
    ):
        refused = refusal(decide(OPERATOR, *mentions))
        assert isinstance(refused, TenantMismatchError)
        assert refused.sources == (source,)


def test_two_paths_are_a_mismatch() -> None:
    decision = decide(OPERATOR, (MentionSource.PATH, OWN), (MentionSource.PATH, OTHER))
    assert (decision.outcome, decision.organization_id) == (ResolutionOutcome.MISMATCH, None)


# ------------------------------------------------------------------------------------------------------------ decisions


@pytest.mark.parametrize("source", [source for source in MentionSource if source is not MentionSource.PATH])
def test_another_organization_is_a_mismatch_with_its_source(source: MentionSource) -> None:
    text = f"globex.{BASE_DOMAIN}" if source in HOSTS else OTHER

    decision = decide(ACME, (MentionSource.HEADER, OWN), (source, text), (source, text))

    assert (decision.outcome, decision.organization_id) == (ResolutionOutcome.MISMATCH, ACME.organization_id)

    refused = refusal(decision)

    assert isinstance(refused, TenantMismatchError)
    assert (refused.status, refused.code, refused.sources) == (403, "tenant_mismatch", (source,))


@pytest.mark.parametrize("text", [OTHER, "0f000000-0000-4000-8000-00000000000f", "x"])
def test_foreign_path_is_answered_like_an_unknown_one(text: str) -> None:
    refused = refusal(decide(ACME, (MentionSource.HEADER, OTHER), (MentionSource.PATH, text)))

    absent = NotFoundError("There is no such organization.")
    assert isinstance(refused, ForeignPathError)
    assert (refused.status, refused.code, refused.title, refused.detail) == (
        absent.status,
        absent.code,
        absent.title,
        absent.detail,
    )
    assert (refused.sources, absent.sources) == (("header", "path"), ())


def test_own_path_is_accepted() -> None:
    assert decide(ACME, (MentionSource.PATH, OWN)).outcome is ResolutionOutcome.ACCEPTED


def test_request_without_a_mention_is_accepted() -> None:
    decision = decide(ACME)

    assert (decision.outcome, decision.organization_id, decision.trace) == (
        ResolutionOutcome.ACCEPTED,
        ACME.organization_id,
        (),
    )
    assert refusal(decision) is None


MENTIONS = st.lists(
    st.tuples(
        st.sampled_from(MentionSource),
        st.sampled_from([OWN, OTHER, OWN.upper(), "", "x", *HOST_TABLE]) | st.text(max_size=20),
    ),
    max_size=8,
)


@given(st.sampled_from([ACME, GLOBEX, OPERATOR]), MENTIONS)
def test_request_is_accepted_iff_no_mention_disagrees(
    caller: Caller, mentions: list[tuple[MentionSource, str]]
) -> None:
    decision = decide(caller, *mentions)

    assert [(step.mention.source, step.mention.text) for step in decision.trace] == mentions
    disagrees = any(step.verdict is DISAGREES for step in decision.trace)
    assert (decision.outcome is not ResolutionOutcome.ACCEPTED) == disagrees == (refusal(decision) is not None)
    assert set(decision.disagreeing) == {step.mention.source for step in decision.trace if step.verdict is DISAGREES}
    if isinstance(caller, Tenant):
        assert decision.organization_id == caller.organization_id
        assert [step.verdict for step in decision.trace] == [verdict(caller, *mention) for mention in mentions]


@given(MENTIONS, MENTIONS)
def test_no_mention_outweighs_a_disagreeing_one(
    some: list[tuple[MentionSource, str]], more: list[tuple[MentionSource, str]]
) -> None:
    if decide(ACME, *some).outcome is not ResolutionOutcome.ACCEPTED:
        assert decide(ACME, *some, *more).outcome is not ResolutionOutcome.ACCEPTED
