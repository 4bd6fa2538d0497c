"""The Segment paths: their write keys, and requests that name another organization."""

import json

import pytest

from tenancy.errors import CredentialFault
from tenancy.gateway.documents.segment import EXPECTED_KEY
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import BASE_DOMAIN, Function, Start, superuser
from tests.handlers.queues import events_in, messages_in
from tests.handlers.redis_keys import persist_keys
from tests.handlers.requests import (
    problem_of,
    segment_call,
    with_basic_auth,
    with_body,
    with_header_values,
    with_headers,
    with_path,
)
from tests.handlers.sent_events import is_sdk_success, segment_batch, settings_request


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


def test_write_key_is_found_in_header_and_body(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    for provisioned in (acme, globex):
        key = provisioned.write_key
        bearer = f"Bearer {key.text}"
        for request in (
            with_basic_auth(segment_batch(segment_call(1)), key),
            with_headers(segment_batch(segment_call(2)), authorization=bearer),
            segment_batch(segment_call(3), key=key),
            with_basic_auth(segment_batch(segment_call(4), key=key), key),
            with_headers(segment_batch(segment_call(5), key=key), authorization=bearer),
        ):
            assert is_sdk_success(ingest(request))

    rows = events_in(aws.queue_url)

    assert [(row.organization_id, row.event_id) for row in rows] == [
        (str(provisioned.organization.id), f"message-{number}")
        for provisioned in (acme, globex)
        for number in range(1, 6)
    ]


def test_key_inside_of_a_call_is_no_credential(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    call = segment_call(1, writeKey=acme.write_key.text, traits={"writeKey": globex.write_key.text})
    alone = segment_batch(segment_call(1, writeKey=acme.write_key.text))

    for request in (alone, segment_batch(call)):
        problem_of(ingest(request), request, 401, "unauthenticated")
    assert is_sdk_success(ingest(segment_batch(call, key=globex.write_key)))

    assert {row.organization_id for row in events_in(aws.queue_url)} == {str(globex.organization.id)}


def test_body_is_parsed_only_after_its_key_is_known(ingest: Function, acme: Provisioned) -> None:
    malformed = b'{"batch":[{"a":[}],"writeKey":"%s"}'
    unknown, known = (
        with_body(segment_batch(), malformed % key.text.encode())
        for key in (generate_key(KeyType.WRITE), acme.write_key)
    )

    problem_of(ingest(unknown), unknown, 401, "unauthenticated")
    problem_of(ingest(known), known, 400, "malformed_request")


def test_request_without_exactly_one_write_key_is_401(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    write, secret = acme.write_key, acme.secret_key
    bare, other = segment_batch(segment_call(1)), generate_key(KeyType.WRITE)
    refused = [
        bare,
        with_headers(bare, authorization=""),
        with_headers(bare, authorization="Bearer"),
        with_headers(bare, authorization="Bearer a.b.c"),
        with_headers(bare, authorization=f"Bearer {write.text[:-1]}"),
        with_headers(bare, authorization=f"Bearer {secret.text}"),
        with_basic_auth(bare, secret),
        with_basic_auth(bare, other),
        segment_batch(segment_call(1), key=other),
        segment_batch(segment_call(1), key=secret),
        segment_batch(segment_call(1), writeKey=""),
        segment_batch(segment_call(1), writeKey="wk_"),
        segment_batch(segment_call(1), writeKey=write.text + "\n"),
        # Two keys that differ.
        with_basic_auth(segment_batch(segment_call(1), key=globex.write_key), write),
        with_basic_auth(segment_batch(segment_call(1), key=write), globex.write_key),
        with_headers(segment_batch(segment_call(1), key=write), authorization=f"Bearer {secret.text}"),
        with_headers(segment_batch(segment_call(1), key=write), authorization="Bearer a.b.c"),
        with_basic_auth(segment_batch(segment_call(1), writeKey="x"), write),
        with_header_values(bare, "Authorization", f"Bearer {write.text}", f"Bearer {write.text}"),
        with_header_values(bare, "Authorization", f"Bearer {write.text}", f"Bearer {globex.write_key.text}"),
        with_headers(bare, authorization=f"Bearer {write.text}, Bearer {write.text}"),
    ]

    for request in refused:
        problem_of(ingest(request), request, 401, "unauthenticated")

    assert messages_in(aws.queue_url) == []


def test_401_names_the_class_of_the_credential(
    ingest: Function, databases: Databases, acme: Provisioned, globex: Provisioned, subtests: pytest.Subtests
) -> None:
    bare, write = segment_batch(segment_call(1)), acme.write_key
    with superuser(databases) as conn:
        conn.execute("UPDATE api_keys SET revoked_at = now() WHERE digest = %s", (globex.write_key.digest,))
    refused = [
        (bare, CredentialFault.NONE),
        (with_headers(bare, x_api_key=write.text), CredentialFault.NONE),
        (segment_batch(segment_call(1, writeKey=write.text)), CredentialFault.NONE),
        (segment_batch(segment_call(1, traits={"writeKey": write.text}), writeKey=None), CredentialFault.NONE),
        (segment_batch(segment_call(1, writeKey=write.text), writeKey=""), CredentialFault.MALFORMED),
        (with_headers(bare, authorization=write.text), CredentialFault.SCHEME),
        (with_headers(bare, authorization=f"Bearer {acme.secret_key.text}"), CredentialFault.OTHER_KIND),
        (with_basic_auth(bare, acme.secret_key), CredentialFault.OTHER_KIND),
        (segment_batch(segment_call(1), key=acme.secret_key), CredentialFault.OTHER_KIND),
        (with_headers(bare, authorization=f"Bearer {write.text[:-1]}"), CredentialFault.MALFORMED),
        (segment_batch(segment_call(1), writeKey="x"), CredentialFault.MALFORMED),
        (with_basic_auth(segment_batch(segment_call(1), key=globex.write_key), write), CredentialFault.SEVERAL),
        (with_basic_auth(bare, generate_key(KeyType.WRITE)), CredentialFault.NOT_VALID),
        (with_basic_auth(bare, globex.write_key), CredentialFault.NOT_VALID),
    ]

    for request, fault in refused:
        with subtests.test(fault.name):
            problem = problem_of(ingest(request), request, 401, "unauthenticated")

            assert problem["detail"] == f"{fault} {EXPECTED_KEY}"


def test_header_or_host_of_another_organization_is_a_mismatch(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    others: list[dict[str, str | None]] = [
        {"x_organization_id": str(globex.organization.id)},
        {"host": f"globex.{BASE_DOMAIN}"},
        {"x_forwarded_host": f"globex.{BASE_DOMAIN}"},
    ]
    for headers in others:
        for request in (
            with_headers(segment_batch(segment_call(1), key=acme.write_key), **headers),
            with_headers(settings_request(acme.write_key.text), **headers),
        ):
            problem_of(ingest(request), request, 403, "tenant_mismatch")

    assert messages_in(aws.queue_url) == []

    own = with_headers(
        segment_batch(segment_call(1), key=acme.write_key),
        x_organization_id=str(acme.organization.id),
        host=f"acme.{BASE_DOMAIN}",
    )
    assert is_sdk_success(ingest(own))


def test_body_of_another_organization_is_refused_as_a_whole(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    key, own, other = acme.write_key, str(acme.organization.id), str(globex.organization.id)
    single = {**segment_call(1), "writeKey": key.text}
    escaped = json.dumps({**single, "organization_id": other}).replace("organization_id", "organization\\u005fid")

    for request in (
        segment_batch(segment_call(1), key=key, organization_id=other),
        with_path(
            with_body(segment_batch(), json.dumps({**single, "organization_id": other, "x": "\ud800"}).encode()),
            "/track",
        ),
        segment_batch(segment_call(1), segment_call(2, organization_id=other), key=key),
        segment_batch(segment_call(1, organization_id=5), key=key),
        with_path(with_body(segment_batch(), {**single, "organization_id": other}), "/track"),
        with_path(with_body(segment_batch(), escaped.encode()), "/track"),
    ):
        problem_of(ingest(request), request, 403, "tenant_mismatch")
        addressed = [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]
        assert {each["organization_id"] for each in addressed} == {str(PLATFORM_LOG), own}
        assert {each["record"]["target"] for each in addressed} == {"body", f"body by organization {own}"}

    assert messages_in(aws.queue_url) == []

    for call, batch in ((own, own.upper()), (None, None)):
        request = segment_batch(segment_call(1, organization_id=call), key=key, organization_id=batch)
        assert is_sdk_success(ingest(request))


def test_organization_id_in_event_properties_is_ignored(ingest: Function, acme: Provisioned) -> None:
    theirs = {"organization_id": "theirs"}
    about = segment_call(1, properties=theirs, context=theirs, groupId="theirs")

    assert is_sdk_success(ingest(segment_batch(about, key=acme.write_key)))


def test_inactive_organization_is_refused(ingest: Function, databases: Databases, acme: Provisioned) -> None:
    for status in ("suspended", "deleted"):
        with databases.platform.transaction() as conn:
            conn.execute("UPDATE organizations SET status = %s", (status,))

        request = segment_batch(segment_call(1), key=acme.write_key)
        problem_of(ingest(request), request, 403, "organization_inactive")

        settings = settings_request(acme.write_key.text)
        problem_of(ingest(settings), settings, 404, "not_found")


def test_refusal_of_an_inactive_organization_is_recorded(
    ingest: Function, databases: Databases, aws: AwsAccount, acme: Provisioned
) -> None:
    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET status = 'suspended'")

    ingest(segment_batch(segment_call(1), key=acme.write_key))
    [addressed] = [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]

    assert addressed["organization_id"] == str(acme.organization.id)
    assert addressed["record"]["code"] == "organization_inactive"


def test_known_write_key_needs_no_database(
    ingest: Function,
    databases: Databases,
    acme: Provisioned,
    clock: StoppedClock,
) -> None:
    clock.stop(ingest)
    assert is_sdk_success(ingest(segment_batch(segment_call(1), key=acme.write_key)))
    persist_keys(databases.servers)
    with superuser(databases) as conn:
        conn.execute("ALTER TABLE organizations RENAME TO gone")

    assert is_sdk_success(ingest(segment_batch(segment_call(2), key=acme.write_key)))
