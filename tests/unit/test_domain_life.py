"""Transitions of a claim of a custom domain, in any order, keep each claim valid."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules import domain_life as life
from tenancy.rules.custom_domains import CustomDomain, CustomDomainStatus, DomainFailure, RecordProblem
from tenancy.rules.domain_checks import assess_check
from tenancy.rules.durations import LONGEST_REFUSED_DOMAIN_PAUSE, REFUSED_DOMAIN_PAUSE

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORGANIZATION = UUID(int=1)
CLAIM = CustomDomain.claim(ORGANIZATION, "data.acme.example", now=NOW)
S = CustomDomainStatus

type Transition = Callable[[CustomDomain, datetime], CustomDomain]


def check(claim: CustomDomain, now: datetime) -> CustomDomain:
    if claim.check_at is None:
        raise ValueError("No check is due.")
    result = assess_check(claim.missing_since, is_found=False, now=now)
    return life.check(claim, result, RecordProblem.NO_RECORD, now=now)


TRANSITIONS: dict[str, Transition] = {
    "begin": lambda claim, now: life.begin(claim, now=now),
    "look": lambda claim, now: life.look(claim, None, RecordProblem.NO_RECORD, now=now),
    "prove": lambda claim, now: life.prove(claim, now=now),
    "start work": lambda claim, now: life.start_work(claim, now=now),
    "request": lambda claim, now: life.request(claim, f"arn:{claim.attempt}", now=now),
    "attach": lambda claim, now: life.attach(claim, now=now),
    "activate": lambda claim, now: life.activate(claim, now=now),
    "issue": lambda claim, now: life.issue(claim, now=now),
    "fail": lambda claim, now: life.fail(claim, DomainFailure.RECORDS_MISSING, now=now),
    "refuse": lambda claim, now: life.fail(claim, DomainFailure.ATTACHMENT_REFUSED, now=now),
    "check": check,
    "remove": lambda claim, now: life.release(claim, to=S.REMOVING, now=now),
    "expire": lambda claim, now: life.watch_certificate(claim, is_expiring=True, now=now),
    "renew": lambda claim, now: life.watch_certificate(claim, is_expiring=False, now=now),
    "withdraw": lambda claim, now: life.release(claim, to=S.WITHDRAWING, now=now),
    "end release": lambda claim, _: life.end_release(claim),
}


@given(st.lists(st.sampled_from(sorted(TRANSITIONS)), max_size=30))
def test_each_claim_is_as_the_table_requires(names: list[str]) -> None:
    claim, now = CLAIM, NOW
    for name in names:
        before, now = claim, now + timedelta(hours=20)
        with suppress(ValueError):
            claim = TRANSITIONS[name](claim, now)

        is_proven = claim.verified_at is not None
        assert is_proven or claim.status in {S.UNVERIFIED, S.FAILED}
        assert not (claim.status is S.UNVERIFIED and is_proven)
        assert (claim.failure is not None) == (claim.status is S.FAILED)
        assert is_proven or (claim.check_at, claim.missing_since) == (None, None)
        assert is_proven or (claim.certificate_arn, claim.attached_at) == (None, None)
        assert claim.status is not S.ACTIVE or (claim.attached_at and claim.active_at)
        assert is_proven or claim.expiring_since is None
        assert not (claim.withdrawn_at and claim.status in {S.VERIFIED, S.ACTIVE})
        assert claim.attempt >= before.attempt
        assert (claim.id, claim.domain, claim.token) == (CLAIM.id, CLAIM.domain, CLAIM.token)


@given(st.lists(st.sampled_from(sorted(TRANSITIONS)), max_size=30))
def test_resources_end_by_a_release_alone(names: list[str]) -> None:
    claim, now = CLAIM, NOW
    for name in names:
        before, now = claim, now + timedelta(hours=20)
        with suppress(ValueError):
            claim = TRANSITIONS[name](claim, now)

        if before.verified_at is not None and claim.verified_at is None:
            assert (name, before.is_releasing) == ("end release", True)
        if claim.is_releasing:
            assert (claim.check_at, claim.work_at is None) == (None, False)


@pytest.mark.parametrize("name", ["begin", "prove", "request", "issue", "attach", "activate", "fail", "refuse"])
@pytest.mark.parametrize("status", [S.WITHDRAWING, S.REMOVING])
def test_claim_that_is_released_is_not_provisioned(name: str, status: CustomDomainStatus) -> None:
    released = life.release(life.prove(CLAIM, now=NOW), to=status, now=NOW)

    with pytest.raises(ValueError, match="no such transition"):
        TRANSITIONS[name](released, NOW)


def test_claim_without_a_proof_is_not_released() -> None:
    with pytest.raises(ValueError, match="proven"):
        life.release(CLAIM, to=S.REMOVING, now=NOW)


def test_certificate_starts_its_own_time() -> None:
    proven = life.prove(life.begin(CLAIM, now=NOW), now=NOW)
    later = NOW + timedelta(hours=1)

    requested = life.request(proven, "arn:1", now=later)
    again = life.request(requested, "arn:1", now=later + timedelta(hours=1))

    assert requested.deadline_at == again.deadline_at
    assert requested.deadline_at is not None
    assert proven.deadline_at is not None
    assert requested.deadline_at > proven.deadline_at


def test_each_refusal_doubles_the_pause() -> None:
    claim, now, pauses = CLAIM, NOW, []
    for _ in range(9):
        claim = life.fail(life.prove(life.begin(claim, now=now), now=now), DomainFailure.CERTIFICATE_REFUSED, now=now)
        assert claim.retry_at is not None
        pauses.append(claim.retry_at - now)
        with pytest.raises(ValueError, match="pause"):
            life.begin(claim, now=claim.retry_at - timedelta(seconds=1))
        now = claim.retry_at

    assert pauses[:4] == [REFUSED_DOMAIN_PAUSE * factor for factor in (1, 2, 4, 8)]
    assert pauses[-1] == LONGEST_REFUSED_DOMAIN_PAUSE


@pytest.mark.parametrize("status", [S.ACTIVE, S.FAILED, S.WITHDRAWING, S.REMOVING])
def test_claim_at_the_end_of_its_work_does_not_wait(status: CustomDomainStatus) -> None:
    with pytest.raises(ValueError, match="no such transition"):
        life.wait(replace(CLAIM, status=status), now=NOW)


@pytest.mark.parametrize("status", [S.ACTIVE, S.FAILED])
def test_claim_without_work_gets_no_execution(status: CustomDomainStatus) -> None:
    with pytest.raises(ValueError, match="no such transition"):
        life.start_work(replace(CLAIM, status=status), now=NOW)
