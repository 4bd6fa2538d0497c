"""Requests at custom domains: the own one agrees with the credential, that of another organization is a mismatch."""

import json
from dataclasses import replace

import pytest
from redis import Redis

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.tenant import RateBucket
from tenancy.use_cases.organizations.provision import Provisioned
from tests.custom_domains import activate_domain, withdraw_domain
from tests.given import PASSWORD, AwsAccount, Databases, tenant_of
from tests.handlers.functions import Function, PutSecret, Start
from tests.handlers.logged_in import post, put_token_keys
from tests.handlers.queues import messages_in
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    problem_of,
    recent_event,
    sample,
    segment_call,
    with_basic_auth,
    with_body,
    with_headers,
    with_path,
)

OWN, OTHERS, UNKNOWN = "track.acme.example", "track.globex.example", "proxy.unknown.example"


@pytest.fixture(autouse=True)
def domains(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    activate_domain(databases, acme.organization.id, OWN)
    activate_domain(databases, globex.organization.id, OTHERS)


@pytest.fixture
def identity(start: Start, secrets: None, put_secret: PutSecret) -> Function:  # noqa: ARG001
    put_token_keys(put_secret)
    return start("identity")


def requests_of(acme: Provisioned) -> dict[str, Event]:
    """Return a request of acme for each kind of route with a credential, by its function."""
    write_key = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    settings = with_path(
        sample("ingest", "segment_settings"),
        f"/projects/{acme.write_key.text}/settings",
        "/projects/{writeKey}/settings",
    )
    return {
        "usage": called_by(sample("usage", "usage"), tenant_of(acme)),
        "members": called_by(sample("members", "list"), tenant_of(acme)),
        "ingest": with_body(called_by(sample("ingest", "events"), write_key), {"events": [recent_event(1)]}),
        "ingest, Segment": with_body(
            with_basic_auth(sample("ingest", "segment_call"), acme.write_key), segment_call(1)
        ),
        "ingest, settings": settings,
    }


@pytest.fixture
def sent(start: Start, secrets: None, acme: Provisioned) -> list[tuple[Function, Event]]:  # noqa: ARG001
    """Return each request with its function."""
    functions = {name: start(name) for name in ("usage", "members", "ingest")}
    return [(functions[name.partition(",")[0]], request) for name, request in requests_of(acme).items()]


def test_own_and_unknown_hosts_are_accepted(sent: list[tuple[Function, Event]]) -> None:
    accepted: list[dict[str, str | None]] = [
        {"host": OWN},
        {"host": f"{OWN}.:443".upper()},
        {"x_forwarded_host": OWN},
        {"host": OWN, "x_forwarded_host": f"{UNKNOWN}, {OWN}"},
        {"host": UNKNOWN},
        {"x_forwarded_host": UNKNOWN},
        {"x_forwarded_host": f"sub.{OTHERS}"},
    ]

    statuses = {
        answer_of(function(with_headers(request, **headers))).status
        for function, request in sent
        for headers in accepted
    }

    assert statuses == {200}


def test_custom_domain_of_another_organization_is_a_mismatch(
    sent: list[tuple[Function, Event]], aws: AwsAccount, acme: Provisioned
) -> None:
    refused: list[dict[str, str | None]] = [
        {"host": OTHERS},
        {"host": f"{OTHERS}.:443".upper()},
        {"host": f"{OTHERS}.."},
        {"x_forwarded_host": OTHERS},
        {"host": OWN, "x_forwarded_host": f"{OWN}, {OTHERS}"},
        {"host": f"{OWN}.."},
    ]

    for function, request in sent:
        for headers in refused:
            changed = with_headers(request, **headers)
            problem_of(function(changed), changed, 403, "tenant_mismatch")
            recorded = [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]
            logs = {each["organization_id"] for each in recorded}
            assert logs == {str(PLATFORM_LOG), str(acme.organization.id)}
            assert OTHERS not in json.dumps(recorded).lower()
    assert messages_in(aws.queue_url) == []


@pytest.mark.usefixtures("secrets")
def test_platform_key_at_a_custom_domain_is_forbidden(start: Start) -> None:
    request = with_headers(called_by(sample("provision", "list"), OPERATOR), host=OTHERS)

    problem_of(start("provision")(request), request, 403, "forbidden")


def used_events(databases: Databases, acme: Provisioned) -> list[bytes]:
    """Return the count of the month's events in Redis."""
    with Redis.from_url(databases.servers.valkey_url) as client:
        return [client.hget(key, "events") for key in client.keys(f"{{{acme.organization.id}}}:usage:*")]


def log_in(acme: Provisioned, **headers: str | None) -> Event:
    return post("log_in", {"email": acme.admin_email, "password": PASSWORD}, **headers)


def test_custom_domain_names_the_organization_of_a_log_in(identity: Function, acme: Provisioned) -> None:
    assert answer_of(identity(log_in(acme, host=OWN))).status == 200
    assert answer_of(identity(log_in(acme, host=f"{OWN}:443", x_forwarded_host=OWN))).status == 200


def test_log_in_at_another_host_is_refused_as_a_wrong_password(
    identity: Function, databases: Databases, acme: Provisioned
) -> None:
    requests = [
        log_in(acme, host=OTHERS),
        log_in(acme, host=UNKNOWN),
        log_in(acme, host=OWN, x_forwarded_host=OTHERS),
        log_in(acme, host=UNKNOWN, x_forwarded_host=OWN),
        log_in(acme, host=f"{OWN}..", x_organization_id=str(acme.organization.id), x_forwarded_host=OTHERS),
    ]
    answers = [answer_of(identity(request)) for request in requests]
    withdraw_domain(databases, OWN)
    answers.append(answer_of(identity(log_in(acme, host=OWN))))

    assert {(each.status, each.document["code"]) for each in answers} == {(401, "unauthenticated")}


def test_token_works_at_the_own_domain_only(identity: Function, acme: Provisioned) -> None:
    def refresh(**headers: str | None) -> int:
        tokens = answer_of(identity(log_in(acme, host=OWN))).document
        return answer_of(identity(post("refresh", {"refresh_token": tokens["refresh_token"]}, **headers))).status

    assert [refresh(host=OWN), refresh(host=UNKNOWN), refresh(host=OTHERS)] == [200, 200, 401]


def test_mismatch_at_a_custom_domain_uses_no_quota(
    sent: list[tuple[Function, Event]], databases: Databases, acme: Provisioned
) -> None:
    ingest, request = next((function, each) for function, each in sent if each["path"] == "/events")
    assert answer_of(ingest(request)).status == 200
    [before] = used_events(databases, acme)

    refused = with_headers(request, host=OTHERS)
    problem_of(ingest(refused), refused, 403, "tenant_mismatch")

    assert used_events(databases, acme) == [before]
