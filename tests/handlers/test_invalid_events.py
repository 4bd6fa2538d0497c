"""Whatever a client sends, it is not our fault: bad input is answered with 400, 413 or 422, and harms nothing else."""

import json

import pytest

from tenancy.rules.api_keys import ApiKey
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, tenant_of
from tests.handlers.functions import Function, Start
from tests.handlers.invalid_input import EVENTS, INVALID, MALFORMED, TEXTS, bodies
from tests.handlers.queues import events_in
from tests.handlers.requests import (
    Event,
    answer_of,
    at,
    call,
    called_by,
    problem_of,
    recent,
    sample,
    with_basic,
    with_body,
)


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


@pytest.fixture
def to_events(acme: Provisioned) -> Event:
    return called_by(sample("ingest", "events"), tenant_of(acme))


@pytest.fixture
def to_batch(acme: Provisioned) -> Event:
    return with_basic(sample("ingest", "segment_batch"), acme.write_key)


def segment_text(changes: dict[str, object]) -> dict[str, object]:
    """Say in Segment's words what is wrong with an event whose Segment path takes it."""
    names = {"event_timestamp": "timestamp"}
    money = {name: value for name, value in changes.items() if name in {"revenue", "currency"}}
    rest = {names[name]: value for name, value in changes.items() if name in names}
    return {**rest, **({"properties": {"revenue": 5, **money}} if money else {})}


def test_a_wrong_body_is_refused_and_no_fault(
    ingest: Function, to_events: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    for what, (body, (status, code)) in bodies("events").items():
        with subtests.test(what):
            request = with_body(to_events, body)
            problem_of(ingest(request), request, status, code)
    assert events_in(aws.queue_url) == []


def test_a_wrong_batch_is_refused_and_no_fault(
    ingest: Function, to_batch: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    for what, (body, (status, code)) in bodies("batch").items():
        with subtests.test(what):
            request = with_body(to_batch, body)
            problem_of(ingest(request), request, status, code)
    assert events_in(aws.queue_url) == []


def test_a_wrong_single_call_is_refused_and_no_fault(
    ingest: Function, to_batch: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    for what, (body, (status, code)) in bodies("properties").items():
        with subtests.test(what):
            request = at(with_body(to_batch, body), "/track")
            problem_of(ingest(request), request, status, code)
    assert events_in(aws.queue_url) == []


def test_a_wrong_event_is_rejected_by_its_index_and_the_others_are_taken(
    ingest: Function, to_events: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    wrong = {what: json.dumps(recent(2, **changes)) for what, (changes, _) in EVENTS.items()}
    wrong |= {what: json.dumps(recent(2, MARK=0)).replace('"MARK": 0', text) for what, (text, _) in TEXTS.items()}
    wrong |= {"a lone surrogate is no JSON": json.dumps(recent(2, device_id="\ud800"))}
    for what, event in wrong.items():
        with subtests.test(what):
            request = with_body(to_events, f'{{"events":[{event}]}}'.encode())
            if what == "a lone surrogate is no JSON":
                problem_of(ingest(request), request, *MALFORMED)
                continue
            problem = problem_of(ingest(request), request, *INVALID)
            assert problem["errors"][0]["location"].startswith("events/0")
            good = json.dumps(recent(1)), json.dumps(recent(3))
            among = with_body(to_events, f'{{"events":[{good[0]},{event},{good[1]}]}}'.encode())
            answer = answer_of(ingest(among))
            assert (answer.status, answer.document["accepted"]) == (200, 2)
            assert [entry["index"] for entry in answer.document["rejected"]] == [1]
        events = [row.event_id for row in events_in(aws.queue_url)]
        assert events in ([], ["event-1", "event-3"])


def test_a_wrong_call_is_left_out_and_the_others_are_taken(
    ingest: Function, to_batch: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    wrong = {what: json.dumps(call(2, **changes)) for what, (_, changes) in EVENTS.items() if changes}
    wrong |= {what: json.dumps(call(2, MARK=0)).replace('"MARK": 0', text) for what, (_, text) in TEXTS.items() if text}
    for what, event in wrong.items():
        with subtests.test(what):
            request = with_body(to_batch, f'{{"batch":[{event}]}}'.encode())
            alone = answer_of(ingest(request))
            assert alone.status in {200, 422}
            if alone.status == 422:
                problem_of(ingest(request), request, *INVALID)
            good = json.dumps(call(1)), json.dumps(call(3))
            answer = answer_of(ingest(with_body(to_batch, f'{{"batch":[{good[0]},{event},{good[1]}]}}'.encode())))
            assert (answer.status, answer.document) == (200, {"success": True})
            assert {"message-1", "message-3"} <= {row.event_id for row in events_in(aws.queue_url)}


def test_what_the_segment_path_takes_in_its_own_way_is_no_fault(
    ingest: Function, to_batch: Event, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    odd = {what: json.dumps(call(2, **segment_text(changes))) for what, (changes, own) in EVENTS.items() if not own}
    odd |= {
        what: json.dumps(call(2, properties={"MARK": 0})).replace('"MARK": 0', text)
        for what, (text, own) in TEXTS.items()
        if not own
    }
    odd |= {"a lone surrogate": json.dumps(call(2, anonymousId="\ud800"))}
    for what, event in odd.items():
        with subtests.test(what):
            answer = answer_of(ingest(with_body(to_batch, f'{{"batch":[{event}]}}'.encode())))
            assert (answer.status, answer.document) == (200, {"success": True})
            [row] = events_in(aws.queue_url, "held_events" if what.startswith("year") else "events")
            assert row.event_id == "message-2"


def test_a_lone_surrogate_beside_other_oddities_is_no_fault(
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


def test_a_key_of_another_form_needs_no_look_up(start: Start, nowhere: str, acme: Provisioned) -> None:
    ingest = start("ingest", AWS_ENDPOINT_URL=f"http://{nowhere}")
    forged = ApiKey(acme.write_key.text[:-1] + "!")
    request = with_basic(with_body(sample("ingest", "segment_batch"), {"batch": [call(1)]}), forged)
    problem_of(ingest(request), request, 401, "unauthenticated")
