"""The Segment paths: whose key a request brings, and that nothing beside it names another organization."""

import json

import pytest

from tenancy.rules.api_keys import KeyType, generate_key
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases
from tests.handlers.functions import BASE_DOMAIN, Function, Start, superuser
from tests.handlers.queues import events_in, messages_in
from tests.handlers.requests import (
    at,
    call,
    problem_of,
    with_basic,
    with_body,
    with_header_values,
    with_headers,
)
from tests.handlers.sent_events import asked, batch, is_success


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


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
        at(with_body(batch(), json.dumps({**single, "organization_id": other, "x": "\ud800"}).encode()), "/track"),
        batch(call(1), call(2, organization_id=other), key=key),
        batch(call(1, organization_id=5), key=key),
        at(with_body(batch(), {**single, "organization_id": other}), "/track"),
        at(with_body(batch(), escaped.encode()), "/track"),
    ):
        problem_of(ingest(request), request, 403, "tenant_mismatch")
        addressed = [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]
        assert {each["organization_id"] for each in addressed} == {str(PLATFORM_LOG), own}
        assert {each["record"]["target"] for each in addressed} == {"body", f"body by organization {own}"}
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


def test_a_key_that_was_seen_lately_needs_no_database(
    ingest: Function, databases: Databases, acme: Provisioned
) -> None:
    assert is_success(ingest(batch(call(1), key=acme.write_key)))
    with superuser(databases) as conn:
        conn.execute("ALTER TABLE organizations RENAME TO gone")
    assert is_success(ingest(batch(call(2), key=acme.write_key)))
