"""Invalid events and Segment calls are 400, 413 or 422, and no other event is lost."""

import json

import pytest

from tenancy.rules.keys.api_keys import ApiKey
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, tenant_of
from tests.handlers.functions import Function, Start
from tests.handlers.invalid_input import EVENTS, INVALID, MALFORMED, TEXTS, bodies
from tests.handlers.queues import events_in
from tests.handlers.requests import (
    Event,
    answer_of,
    called_by,
    problem_of,
    recent_event,
    sample,
    segment_call,
    with_basic_auth,
    with_body,
    with_path,
)


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


@pytest.fixture
def to_events(acme: Provisioned) -> Event:
    return called_by(sample("ingest", "events"), tenant_of(acme))


@pytest.fixture
def to_batch(acme: Provisioned) -> Event:
    return with_basic_auth(sample("ingest", "segment_batch"), acme.write_key)


def segment_changes(changes: dict[str, object]) -> dict[str, object]:
    """Return the same changes with the names of a Segment call."""
    names = {"event_timestamp": "timestamp"}
    money = {name: value for name, value in changes.items() if name in {"revenue", "currency"}}
    rest = {names[name]: value for name, value in changes.items() if name in names}
    return {**rest, **({"properties": {"revenue": 5, **money}} if money else {})}


def test_invalid_body_of_events_is_refused(
    ingest: Function, to_events: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    for case, (body, (status, code)) in bodies("events").items():
        with subtests.test(case):
            request = with_body(to_events, body)
            problem_of(ingest(request), request, status, code)

    assert events_in(aws.queue_url) == []


def test_invalid_body_of_a_segment_batch_is_refused(
    ingest: Function, to_batch: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    for case, (body, (status, code)) in bodies("batch", no_number=INVALID).items():
        with subtests.test(case):
            request = with_body(to_batch, body)
            problem_of(ingest(request), request, status, code)

    assert events_in(aws.queue_url) == []


def test_invalid_body_of_a_segment_call_is_refused(
    ingest: Function, to_batch: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    for case, (body, (status, code)) in bodies("properties", no_number=INVALID).items():
        with subtests.test(case):
            request = with_path(with_body(to_batch, body), "/track")
            problem_of(ingest(request), request, status, code)

    assert events_in(aws.queue_url) == []


def test_invalid_event_is_rejected_by_its_index(
    ingest: Function, to_events: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    wrong = {case: json.dumps(recent_event(2, **changes)) for case, (changes, _) in EVENTS.items()}
    wrong |= {case: json.dumps(recent_event(2, MARK=0)).replace('"MARK": 0', text) for case, (text, _) in TEXTS.items()}
    wrong |= {"a lone surrogate is no JSON": json.dumps(recent_event(2, device_id="\ud800"))}

    for case, event in wrong.items():
        with subtests.test(case):
            request = with_body(to_events, f'{{"events":[{event}]}}'.encode())
            if case == "a lone surrogate is no JSON":
                problem_of(ingest(request), request, *MALFORMED)
                continue

            problem = problem_of(ingest(request), request, *INVALID)

            assert problem["errors"][0]["location"].startswith("body/events/0")

            good = json.dumps(recent_event(1)), json.dumps(recent_event(3))
            among = with_body(to_events, f'{{"events":[{good[0]},{event},{good[1]}]}}'.encode())

            answer = answer_of(ingest(among))

            assert (answer.status, answer.document["accepted"]) == (200, 2)
            assert [entry["index"] for entry in answer.document["rejected"]] == [1]
        events = [row.event_id for row in events_in(aws.queue_url)]
        assert events in ([], ["event-1", "event-3"])


def test_invalid_segment_call_does_not_reject_the_others(
    ingest: Function, to_batch: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    wrong = {case: json.dumps(segment_call(2, **changes)) for case, (_, changes) in EVENTS.items() if changes}
    wrong |= {
        case: json.dumps(segment_call(2, MARK=0)).replace('"MARK": 0', text)
        for case, (_, text) in TEXTS.items()
        if text
    }

    for case, event in wrong.items():
        with subtests.test(case):
            request = with_body(to_batch, f'{{"batch":[{event}]}}'.encode())

            alone = answer_of(ingest(request))

            assert alone.status in {200, 422}

            if alone.status == 422:
                problem_of(ingest(request), request, *INVALID)

            good = json.dumps(segment_call(1)), json.dumps(segment_call(3))

            answer = answer_of(ingest(with_body(to_batch, f'{{"batch":[{good[0]},{event},{good[1]}]}}'.encode())))

            assert (answer.status, answer.document) == (200, {"success": True})
            assert {"message-1", "message-3"} <= {row.event_id for row in events_in(aws.queue_url)}


def test_segment_path_accepts_unusual_values(
    ingest: Function, to_batch: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    odd = {
        case: json.dumps(segment_call(2, **segment_changes(changes)))
        for case, (changes, own) in EVENTS.items()
        if not own
    }
    odd |= {
        case: json.dumps(segment_call(2, properties={"MARK": 0})).replace('"MARK": 0', text)
        for case, (text, own) in TEXTS.items()
        if not own
    }
    odd |= {"a lone surrogate": json.dumps(segment_call(2, anonymousId="cut \ud800"))}

    for case, event in odd.items():
        with subtests.test(case):
            answer = answer_of(ingest(with_body(to_batch, f'{{"batch":[{event}]}}'.encode())))

            assert (answer.status, answer.document) == (200, {"success": True})
            [row] = events_in(aws.queue_url, "held_events" if case.startswith("year") else "events")
            assert row.event_id == "message-2"


def test_lone_surrogate_is_never_500(
    ingest: Function, to_batch: Event, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    broken = '{"type":"track","userId":"u","event":"\\ud83d"}'
    for other in ('{"type":"track","userId":"u","properties":{"x":1e999}}', "1e999", '{"type":"track","userId":1e999}'):
        with subtests.test(other):
            answer = answer_of(ingest(with_body(to_batch, f'{{"batch":[{broken},{other}]}}'.encode())))
            assert (answer.status, answer.document) == (200, {"success": True})

    keys = {"null": 200, f'"{acme.write_key.text}"': 200, '"\\ud800"': 401, "5": 422, "[]": 422}
    for key, status in keys.items():
        with subtests.test(f"write key {key[:8]}"):
            answer = answer_of(ingest(with_body(to_batch, f'{{"batch":[{broken}],"writeKey":{key}}}'.encode())))
            assert answer.status == status


def test_malformed_write_key_is_refused_without_a_look_up(start: Start, nowhere: str, acme: Provisioned) -> None:
    ingest = start("ingest", AWS_ENDPOINT_URL=f"http://{nowhere}")
    forged = ApiKey(acme.write_key.text[:-1] + "!")
    request = with_basic_auth(with_body(sample("ingest", "segment_batch"), {"batch": [segment_call(1)]}), forged)

    problem_of(ingest(request), request, 401, "unauthenticated")
