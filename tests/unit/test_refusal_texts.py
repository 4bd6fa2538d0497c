"""Texts of refusals and mails name the value at fault and where it is."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tenancy.errors import InvalidError, OrganizationInactiveError, TenantMismatchError
from tenancy.rules.admission import Admission, AdmissionVerdict
from tenancy.rules.events.batch import SegmentBatch, parse_batch
from tenancy.rules.events.fields import TIME_OUT_OF_RANGE
from tenancy.rules.mails import describe_quota_effect
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.quotas import Metric
from tenancy.rules.resolution import Mention, MentionSource, resolve
from tenancy.use_cases.ingest.parse_batch import parse_event_batch, parse_segment_calls
from tests.given import ROOT
from tests.unit.decisions import ACME, BASE_DOMAIN, OPERATOR, OTHER, OWN

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def event(**members: object) -> dict[str, object]:
    texts = dict.fromkeys(("event_type", "event_name", "device_id", "platform"), "x")
    return {**texts, "event_timestamp": NOW.isoformat(), **members}


def mentions(*sources: MentionSource) -> list[Mention]:
    return [Mention(source=source, text=OWN if index == 0 else OTHER) for index, source in enumerate(sources)]


def mismatch_of(*sources: MentionSource) -> str:
    with pytest.raises(TenantMismatchError) as caught:
        resolve(OPERATOR, mentions(*sources), base_domain=BASE_DOMAIN).require_accepted()
    return caught.value.detail


def test_platform_key_has_no_organization_to_mismatch() -> None:
    assert "A platform key has no organization" in mismatch_of(MentionSource.QUERY)


def test_platform_key_is_compared_with_its_path() -> None:
    assert "than its path in: body" in mismatch_of(MentionSource.PATH, MentionSource.BODY)


def test_mismatch_names_the_event() -> None:
    for events in ([event(), event(organization_id=OTHER)], [event(), event(organization_id=7, revenue="x")]):
        with pytest.raises(TenantMismatchError, match=r"body/events/1/organization_id\."):
            parse_event_batch(ACME, parse_batch(msgspec.json.encode({"events": events})), now=NOW)


@pytest.mark.parametrize(
    ("event_type", "location"), [(None, "body/batch/1/organization_id"), ("track", "body/organization_id")]
)
def test_mismatch_names_the_call(event_type: str | None, location: str) -> None:
    call = msgspec.Raw(msgspec.json.encode({"type": "track", "event": "e", "userId": "u"}))
    foreign = msgspec.Raw(msgspec.json.encode({"userId": "u", "organization_id": OTHER}))
    batch = SegmentBatch(batch=[call, foreign] if event_type is None else [foreign])

    with pytest.raises(TenantMismatchError, match=rf"{location}\."):
        parse_segment_calls(ACME, batch, event_type=event_type, now=NOW)


@pytest.mark.parametrize(
    ("event_type", "detail"), [("track", "The call is not valid."), (None, "No event of the batch is valid.")]
)
def test_one_call_is_no_batch(event_type: str | None, detail: str) -> None:
    batch = SegmentBatch(batch=[msgspec.Raw(b"{}")])

    with pytest.raises(InvalidError) as caught:
        parse_segment_calls(ACME, batch, event_type=event_type, now=NOW)

    assert caught.value.detail.startswith(detail)


def test_time_out_of_range_leads_to_the_retention() -> None:
    def messages(days: int) -> set[str]:
        old = event(event_timestamp=(NOW - timedelta(days=days)).isoformat())
        batch = parse_batch(msgspec.json.encode({"events": [old]}))
        with pytest.raises(InvalidError) as caught:
            parse_event_batch(ACME, batch, now=NOW).reject_past(90)
        return {each.message for each in caught.value.errors}

    assert messages(200) == {"Expected a time at most 90 days ago and at most 24 hours ahead."}
    assert messages(1_000) == {TIME_OUT_OF_RANGE}
    assert "GET /v1/organizations/current" in TIME_OUT_OF_RANGE


def test_status_is_a_sentence() -> None:
    assert OrganizationStatus.ERASING.sentence == "The organization is being erased."
    assert OrganizationStatus.DELETED.sentence == "The organization is deleted."


def test_each_refusal_names_the_status_in_a_sentence() -> None:
    """Only the property `sentence` puts a status into words."""
    worded = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "layers" / "tenancy").rglob("*.py")
        if "The organization is {" in path.read_text()
    ]

    assert worded == ["layers/tenancy/tenancy/rules/organization.py"]


def test_caller_of_an_organization_that_is_being_erased_reads_so() -> None:
    admission = Admission(verdict=AdmissionVerdict.INACTIVE, rate=None, status=OrganizationStatus.ERASING)

    with pytest.raises(OrganizationInactiveError, match=r"The organization is being erased\."):
        admission.require_admitted()


@pytest.mark.parametrize("metric", [Metric.EVENTS, Metric.STORAGE_BYTES])
def test_quota_mail_says_that_events_are_held(metric: Metric) -> None:
    assert "held" in describe_quota_effect(metric)
