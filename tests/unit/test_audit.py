"""Refusals of one minute become one record."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from tenancy.audit import Addressed, Outcome, Record, merge_refusals
from tests.given import OPERATOR

ACME, GLOBEX = UUID(int=10), UUID(int=11)
NOON = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def refusal(organization_id: UUID = ACME, second: int = 0, **changes: object) -> Addressed:
    record = Record(
        occurred_at=NOON + timedelta(seconds=second),
        actor=OPERATOR,
        action="GET /v1/usage",
        target="header",
        outcome=Outcome.REFUSED,
        code="tenant_mismatch",
    )
    return Addressed(organization_id=organization_id, record=replace(record, **changes))  # type: ignore[arg-type]


def test_the_first_refusal_of_a_minute_stands_for_all_with_their_number() -> None:
    first, *later = [refusal(second=second) for second in (3, 17, 59)]
    [merged] = merge_refusals([*later, first])
    assert merged == replace(first, record=replace(first.record, count=3))


@pytest.mark.parametrize(
    "other",
    [
        refusal(GLOBEX),
        refusal(second=60),
        refusal(action="GET /v1/stats"),
        refusal(code="forbidden"),
        refusal(target="host"),
        refusal(actor=replace(OPERATOR, id=uuid4())),
    ],
    ids=["organization", "minute", "action", "code", "target", "credential"],
)
def test_refusals_that_differ_stay_apart(other: Addressed) -> None:
    apart = [refusal(), other]
    merged = merge_refusals(apart)
    assert sorted(each.record.id for each in merged) == sorted(each.record.id for each in apart)
    assert [each.record.count for each in merged] == [1, 1]


def test_a_record_survives_the_queue() -> None:
    sent = refusal()
    assert msgspec.json.decode(msgspec.json.encode(sent), type=Addressed) == sent
