"""The Segment paths: the SDKs find their key, their dialect and the answers that they understand."""

import json
from datetime import UTC, datetime

import pytest

from tenancy.api_keys import ApiKey, KeyType, generate_key
from tenancy.audit import PLATFORM_LOG
from tenancy.stores.secrets import DATABASE
from tenancy.use_cases.provision import Provisioned
from tests.given import AwsAccount, Databases
from tests.handlers.functions import BASE_DOMAIN, Function, PutSecret, Start, superuser
from tests.handlers.queues import events_in, messages_in
from tests.handlers.requests import (
    Event,
    answer_of,
    at,
    call,
    problem_of,
    sample,
    with_basic,
    with_body,
    with_header_values,
    with_headers,
    zipped,
)

SINGLE = {
    "track": ("/track", "/t"),
    "identify": ("/identify", "/i"),
    "page": ("/page", "/p"),
    "screen": ("/screen", "/s"),
    "group": ("/group", "/g"),
    "alias": ("/alias", "/a"),
}


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


def batch(*calls: object, key: ApiKey | None = None, **members: object) -> Event:
    body = {"batch": calls, "sentAt": datetime.now(UTC).isoformat(), **members}
    return with_body(sample("ingest", "segment_batch"), {**body, "writeKey": key.text} if key else body)


def asked(key: str) -> Event:
    path, resource = f"/projects/{key}/settings", "/projects/{writeKey}/settings"
    return {**at(sample("ingest", "segment_settings"), path, resource), "pathParameters": {"writeKey": key}}


def is_success(response: Event) -> bool:
    """Say whether an SDK takes it for one: exactly 200, two of them send again on 202 and 204."""
    answer = answer_of(response)
    return (answer.status, answer.document) == (200, {"success": True})


def test_a_key_is_found_wherever_the_sdks_put_it(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    for who in (acme, globex):
        key = who.write_key
        bearer = f"Bearer {key.text}"
        for request in (
            with_basic(batch(call(1)), key),
            with_headers(batch(call(2)), authorization=bearer),
            batch(call(3), key=key),
            with_basic(batch(call(4), key=key), key),
            with_headers(batch(call(5), key=key), authorization=bearer),
        ):
            assert is_success(ingest(request))
    rows = events_in(aws.queue_url)
    assert [(row.organization_id, row.event_id) for row in rows] == [
        (str(who.organization.id), f"message-{number}") for who in (acme, globex) for number in range(1, 6)
    ]


def test_the_samples_are_taken_with_a_real_key(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for case in ("segment_batch", "segment_call"):
        request = sample("ingest", case)
        body = {**json.loads(request["body"]), "writeKey": acme.write_key.text}
        assert is_success(ingest(with_body(request, body)))
    messages = messages_in(aws.queue_url)
    assert sum(int(message["MessageAttributes"]["events"]["StringValue"]) for message in messages) == 3


def test_the_samples_key_belongs_to_nobody(ingest: Function) -> None:
    for case in ("segment_batch", "segment_call"):
        problem_of(ingest(sample("ingest", case)), sample("ingest", case), 401, "unauthenticated")
    problem_of(ingest(sample("ingest", "segment_settings")), sample("ingest", "segment_settings"), 404, "not_found")


def test_every_path_of_many_calls_is_taken(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for number, path in enumerate(("/batch", "/b", "/import", "/v1/batch", "/v1/b", "/v1/import")):
        assert is_success(ingest(at(batch(call(number), call(number + 100), key=acme.write_key), path)))
    assert len(events_in(aws.queue_url)) == 12


def test_every_path_of_one_call_says_what_it_is(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for paths in SINGLE.values():
        for number, path in enumerate((*paths, *(f"/v1{path}" for path in paths))):
            body = {name: value for name, value in call(number).items() if name != "type"}
            request = with_body(sample("ingest", "segment_call"), {**body, "writeKey": acme.write_key.text})
            assert is_success(ingest(at(request, path)))
    types = [row.event_type for row in events_in(aws.queue_url)]
    assert types == [name for name in SINGLE for _ in range(4)]


def test_a_body_is_read_however_it_is_announced(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    document = {"batch": [call(1)], "writeKey": acme.write_key.text}
    plain = {**sample("ingest", "segment_batch"), "body": json.dumps(document), "isBase64Encoded": False}
    for request in (
        plain,
        with_headers(plain, content_type="text/plain"),
        with_headers(plain, content_type=None),
        with_body(plain, zipped(document)),
        with_headers(with_body(plain, zipped(document)), content_encoding="gzip"),
    ):
        assert is_success(ingest(request))
    assert {row.event_id for row in events_in(aws.queue_url)} == {"message-1"}


def test_without_one_write_key_nobody_sends(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    write, secret = acme.write_key, acme.secret_key
    bare, other = batch(call(1)), generate_key(KeyType.WRITE)
    refused = [
        bare,
        with_headers(bare, authorization=""),
        with_headers(bare, authorization="Bearer"),
        with_headers(bare, authorization="Bearer a.b.c"),
        with_headers(bare, authorization=f"Bearer {write.text[:-1]}"),
        with_headers(bare, authorization=f"Bearer {secret.text}"),
        with_basic(bare, secret),
        with_basic(bare, other),
        batch(call(1), key=other),
        batch(call(1), key=secret),
        batch(call(1), writeKey=""),
        batch(call(1), writeKey="wk_"),
        batch(call(1), writeKey=write.text + "\n"),
        # Two that differ: whoever signed the header does not speak for the body's organization.
        with_basic(batch(call(1), key=globex.write_key), write),
        with_basic(batch(call(1), key=write), globex.write_key),
        with_headers(batch(call(1), key=write), authorization=f"Bearer {secret.text}"),
        with_headers(batch(call(1), key=write), authorization="Bearer a.b.c"),
        with_basic(batch(call(1), writeKey="x"), write),
        with_header_values(bare, "Authorization", f"Bearer {write.text}", f"Bearer {write.text}"),
        with_header_values(bare, "Authorization", f"Bearer {write.text}", f"Bearer {globex.write_key.text}"),
        with_headers(bare, authorization=f"Bearer {write.text}, Bearer {write.text}"),
    ]
    for request in refused:
        problem_of(ingest(request), request, 401, "unauthenticated")
    assert messages_in(aws.queue_url) == []


def test_a_header_or_host_of_another_organization_is_a_mismatch(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    others: list[dict[str, str | None]] = [
        {"x_organization_id": str(globex.organization.id)},
        {"host": f"globex.{BASE_DOMAIN}"},
        {"x_forwarded_host": f"globex.{BASE_DOMAIN}"},
    ]
    for headers in others:
        for request in (
            with_headers(batch(call(1), key=acme.write_key), **headers),
            with_headers(asked(acme.write_key.text), **headers),
        ):
            problem_of(ingest(request), request, 403, "tenant_mismatch")
    assert messages_in(aws.queue_url) == []
    own = with_headers(
        batch(call(1), key=acme.write_key), x_organization_id=str(acme.organization.id), host=f"acme.{BASE_DOMAIN}"
    )
    assert is_success(ingest(own))


def test_a_body_that_names_another_organization_is_a_mismatch_as_a_whole(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    key, own, other = acme.write_key, str(acme.organization.id), str(globex.organization.id)
    single = {**call(1), "writeKey": key.text}
    escaped = json.dumps({**single, "organization_id": other}).replace("organization_id", "organization\\u005fid")
    for request in (
        batch(call(1), key=key, organization_id=other),
        batch(call(1), call(2, organization_id=other), key=key),
        batch(call(1, organization_id=5), key=key),
        at(with_body(batch(), {**single, "organization_id": other}), "/track"),
        at(with_body(batch(), escaped.encode()), "/track"),
    ):
        problem_of(ingest(request), request, 403, "tenant_mismatch")
        addressed = [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]
        assert {each["organization_id"] for each in addressed} == {str(PLATFORM_LOG), own}
        assert {each["record"]["target"] for each in addressed} == {"body"}
    assert messages_in(aws.queue_url) == []
    assert is_success(ingest(batch(call(1, organization_id=own), key=key, organization_id=own.upper())))
    assert is_success(ingest(batch(call(1, organization_id=None), key=key, organization_id=None)))


def test_what_an_event_is_about_is_no_organization_of_ours(ingest: Function, acme: Provisioned) -> None:
    about = call(1, properties={"organization_id": "theirs"}, context={"organization_id": "theirs"}, groupId="theirs")
    assert is_success(ingest(batch(about, key=acme.write_key)))


def test_an_organization_that_is_not_served_is_told_so(
    ingest: Function, databases: Databases, acme: Provisioned
) -> None:
    for status in ("suspended", "deleted"):
        with databases.platform.transaction() as conn:
            conn.execute("UPDATE organizations SET status = %s", (status,))
        request = batch(call(1), key=acme.write_key)
        problem_of(ingest(request), request, 403, "organization_inactive")
        settings = asked(acme.write_key.text)
        problem_of(ingest(settings), settings, 404, "not_found")


def test_what_an_inactive_organization_is_refused_is_recorded(
    ingest: Function, databases: Databases, aws: AwsAccount, acme: Provisioned
) -> None:
    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET status = 'suspended'")
    ingest(batch(call(1), key=acme.write_key))
    [addressed] = [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]
    assert addressed["organization_id"] == str(acme.organization.id)
    assert addressed["record"]["code"] == "organization_inactive"


# ---------------------------------------------------------------------------------------------------- batches and time


def test_a_malformed_call_does_not_sink_the_others(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    bad: list[object] = [
        None,
        5,
        [],
        {},
        {"type": "track"},
        call(2, type="purchase"),
        call(4, messageId="a\0b"),
    ]
    assert is_success(ingest(batch(call(1), *bad, call(5), key=acme.write_key)))
    assert [row.event_id for row in events_in(aws.queue_url)] == ["message-1", "message-5"]


def test_half_an_emoji_costs_no_event(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    cut = call(2, event="CUT")
    body = json.dumps({"batch": [call(1), cut, call(3)], "writeKey": acme.write_key.text}).replace("CUT", "\\ud83d")
    assert is_success(ingest(with_body(sample("ingest", "segment_batch"), body.encode())))
    names = [(row.event_id, row.event_name) for row in events_in(aws.queue_url)]
    assert names == [("message-1", "Order Completed"), ("message-2", "\ufffd"), ("message-3", "Order Completed")]


def test_a_batch_without_an_acceptable_call_is_invalid(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for request in (
        batch(None, {"type": "track"}, key=acme.write_key),
        batch(key=acme.write_key),
        batch(*[call(1)] * 2501, key=acme.write_key),
    ):
        problem_of(ingest(request), request, 422, "invalid")
    assert messages_in(aws.queue_url) == []


def test_a_clock_that_cannot_be_believed_holds_the_event(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    late, early = call(2, timestamp="1970-01-01T00:00:00Z"), call(3, timestamp="2199-01-01T00:00:00Z")
    assert is_success(ingest(batch(call(1), late, early, key=acme.write_key)))
    messages = messages_in(aws.queue_url)
    assert {
        message["MessageAttributes"]["table"]["StringValue"]: message["MessageAttributes"]["events"]["StringValue"]
        for message in messages
    } == {"events": "1", "held_events": "2"}
    assert is_success(ingest(batch(late, key=acme.write_key)))
    [held] = events_in(aws.queue_url, "held_events")
    assert (held.reason, held.event_timestamp) == ("clock", "1970-01-01 00:00:00.000")


def test_a_retry_that_cuts_batches_differently_sends_the_same_events(
    ingest: Function, aws: AwsAccount, acme: Provisioned
) -> None:
    calls = [{name: value for name, value in call(n).items() if name != "messageId"} | {"n": n} for n in range(6)]
    identities = []
    for cut in (6, 4, 1):
        for first in range(0, 6, cut):
            assert is_success(ingest(batch(*calls[first : first + cut], key=acme.write_key)))
        identities.append(sorted(row.identity for row in events_in(aws.queue_url)))
    assert len(identities[0]) == 6
    assert identities[0] == identities[1] == identities[2]


# -------------------------------------------------------------------------------------------------------------- stores


@pytest.mark.usefixtures("secrets")
def test_a_queue_that_refuses_is_unavailable_so_that_the_sdk_sends_again(
    start: Start, acme: Provisioned, aws: AwsAccount
) -> None:
    request = batch(call(1), key=acme.write_key)
    ingest = start("ingest", EVENTS_QUEUE_URL=f"{aws.queue_url}-gone")
    problem_of(ingest(request), request, 503, "unavailable")


def test_without_the_database_a_key_is_not_called_wrong(start: Start, put_secret: PutSecret, nowhere: str) -> None:
    put_secret(DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    ingest = start("ingest")
    request = batch(call(1), key=generate_key(KeyType.WRITE))
    problem_of(ingest(request), request, 503, "unavailable")
    settings = asked(generate_key(KeyType.WRITE).text)
    problem_of(ingest(settings), settings, 503, "unavailable")


def test_a_key_that_was_seen_lately_needs_no_database(
    ingest: Function, databases: Databases, acme: Provisioned
) -> None:
    assert is_success(ingest(batch(call(1), key=acme.write_key)))
    with superuser(databases) as conn:
        conn.execute("ALTER TABLE organizations RENAME TO gone")
    assert is_success(ingest(batch(call(2), key=acme.write_key)))


# ------------------------------------------------------------------------------------------------------------ settings


def test_a_mobile_sdk_learns_where_to_send(ingest: Function, acme: Provisioned) -> None:
    key = acme.write_key.text
    for request in (asked(key), {**asked(key), "path": f"/v1/projects/{key}/settings"}):
        answer = answer_of(ingest(with_headers(request, host="api.attribution.example")))
        integration = {"apiKey": key, "apiHost": "api.attribution.example/v1"}
        assert (answer.status, answer.document) == (200, {"integrations": {"Segment.io": integration}})


def test_a_project_that_is_none_is_not_found(ingest: Function, acme: Provisioned) -> None:
    for key in (
        generate_key(KeyType.WRITE).text,
        acme.secret_key.text,
        acme.write_key.text[:-1],
        acme.write_key.text + "\n",
        "x",
        "%00",
        "é",
        "wk_" + "a" * 49,
    ):
        request = asked(key)
        problem = problem_of(ingest(request), request, 404, "not_found")
        assert acme.write_key.text not in problem["detail"]
