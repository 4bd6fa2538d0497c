"""Log-in, refresh and log-out over HTTP, with the token in the body."""

import json
from uuid import uuid4

import pytest

from tenancy.rules.people.log_in_attempts import MAX_FAILED_LOG_INS
from tenancy.rules.people.opaque_tokens import TokenType, generate_token
from tenancy.stores.aws.secrets import REDIS
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.sessions.log_in import LOG_IN_REFUSED
from tests.given import PASSWORD, Databases
from tests.handlers.functions import BASE_DOMAIN, Function, LogLines, PutSecret, Start, superuser
from tests.handlers.logged_in import authorized, log_in_request, post, tokens_in, without_body
from tests.handlers.requests import answer_of, problem_of, sample, with_headers

WRONG = "a wrong password of some length"


@pytest.fixture
def identity(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("identity")


@pytest.fixture
def authorizer(start: Start, identity: Function) -> Function:  # noqa: ARG001 - its keys
    return start("authorizer")


def test_log_in_answers_with_both_tokens(identity: Function, acme: Provisioned) -> None:
    answer = answer_of(identity(log_in_request(acme)))

    assert answer.status == 200
    assert set(answer.document) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (answer.document["token_type"], answer.document["expires_in"]) == ("Bearer", 900)
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


def test_access_token_is_accepted(identity: Function, authorizer: Function, acme: Provisioned) -> None:
    tokens = tokens_in(identity(log_in_request(acme)))

    me = answer_of(identity(authorized(sample("identity", "show_me"), authorizer, tokens["access_token"])))

    assert me.status == 200
    assert (me.document["id"], me.document["email"]) == (str(acme.admin_user_id), acme.admin_email)
    assert me.document["role"] == "super_admin"
    assert "users:write" in me.document["permissions"]
    assert me.document["organization"] == {
        "id": str(acme.organization.id),
        "name": "Acme",
        "subdomain": "acme",
        "tier": "starter",
        "status": "active",
    }


def test_refresh_and_log_out(identity: Function, acme: Provisioned) -> None:
    tokens = tokens_in(identity(log_in_request(acme)))

    refreshed = tokens_in(identity(post("refresh", {"refresh_token": tokens["refresh_token"]})))
    log_out = post("log_out", {"refresh_token": refreshed["refresh_token"]})

    assert answer_of(identity(log_out)).status == 204
    assert answer_of(identity(log_out)).status == 204
    request = post("refresh", {"refresh_token": refreshed["refresh_token"]})
    problem_of(identity(request), request, 401, "unauthenticated")


@pytest.mark.parametrize("named_by", ["organization id", "header", "host", "query"])
def test_organization_is_named_in_any_place(identity: Function, acme: Provisioned, named_by: str) -> None:
    organization = acme.organization
    body = {"email": acme.admin_email, "password": PASSWORD}
    requests = {
        "organization id": post("log_in", body | {"organization": str(organization.id)}),
        "header": post("log_in", body, x_organization_id=str(organization.id)),
        "host": post("log_in", body, host=f"acme.{BASE_DOMAIN}"),
        "query": post("log_in", body | {"organization_id": str(organization.id)}),
    }

    assert answer_of(identity(requests[named_by])).status == 200


def test_log_in_without_an_organization_is_422(identity: Function, acme: Provisioned) -> None:
    request = post("log_in", {"email": acme.admin_email, "password": PASSWORD})

    problem = problem_of(identity(request), request, 422, "invalid")

    assert [each["location"] for each in problem["errors"]] == ["body/organization"]


def test_organizations_that_disagree_are_unknown(identity: Function, acme: Provisioned, globex: Provisioned) -> None:
    requests = [
        log_in_request(acme, x_organization_id=str(globex.organization.id)),
        log_in_request(acme, host=f"globex.{BASE_DOMAIN}"),
        log_in_request(acme, x_forwarded_host=f"globex.{BASE_DOMAIN}"),
        log_in_request(acme, x_organization_id=str(uuid4())),
    ]

    for request in requests:
        assert problem_of(identity(request), request, 401, "unauthenticated")["detail"] == LOG_IN_REFUSED


def test_every_refused_log_in_has_the_same_answer(identity: Function, acme: Provisioned, globex: Provisioned) -> None:
    body = {"email": acme.admin_email, "password": PASSWORD, "organization": "acme"}
    requests = [
        post("log_in", body | {"password": WRONG}),
        post("log_in", body | {"email": "nobody@acme.example"}),
        post("log_in", body | {"email": "no address"}),
        post("log_in", body | {"organization": "globex"}),
        post("log_in", body | {"organization": "unknown"}),
        post("log_in", body | {"organization": "not a name"}),
        post("log_in", body | {"organization": str(uuid4())}),
        post("log_in", body | {"organization": globex.organization.subdomain}),
    ]

    answers = [answer_of(identity(request)) for request in requests]

    assert {(each.status, each.body) for each in answers} == {(401, answers[0].body)}
    assert len({json.dumps(dict(each.headers)) for each in answers}) == 1


def test_repeated_failures_are_429(identity: Function, acme: Provisioned) -> None:
    request = log_in_request(acme, password=WRONG)
    for _ in range(3):
        problem_of(identity(request), request, 401, "unauthenticated")

    problem = problem_of(identity(request), request, 429, "too_many_attempts")

    assert 0 < problem["retry_after"] <= 5
    assert MAX_FAILED_LOG_INS > 3


def test_refused_log_ins_are_counted_by_their_code(
    identity: Function, acme: Provisioned, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()

    for _ in range(4):
        identity(log_in_request(acme, password=WRONG))
    identity(log_in_request(acme, password=WRONG, x_organization_id=str(acme.organization.id)))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "LogInsRefused" in line]
    assert [line["cause"] for line in lines] == ["unauthenticated"] * 3 + ["too_many_attempts"] * 2


@pytest.mark.usefixtures("secrets")
def test_log_in_works_without_redis(
    start: Start, acme: Provisioned, put_secret: PutSecret, nowhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secret(REDIS, f"redis://{nowhere}/0")
    identity = start("identity")
    capsys.readouterr()

    assert answer_of(identity(log_in_request(acme))).status == 200

    assert "LogInsNotCounted" in capsys.readouterr().out


@pytest.mark.parametrize("case", ["refresh", "log_out"])
def test_token_is_required_in_the_body(identity: Function, case: str) -> None:
    for request in (post(case, {}), without_body(sample("identity", case))):
        problem = problem_of(identity(request), request, 422, "invalid")
        assert [each["location"] for each in problem["errors"]] == ["body/refresh_token"]


@pytest.mark.parametrize("text", ["", "rt_", "x", "sk_" + "a" * 49])
def test_malformed_refresh_token_is_401(identity: Function, text: str) -> None:
    request = post("refresh", {"refresh_token": text})

    problem_of(identity(request), request, 401, "unauthenticated")


def test_token_works_only_in_its_own_organization(identity: Function, acme: Provisioned, globex: Provisioned) -> None:
    token = tokens_in(identity(log_in_request(acme)))["refresh_token"]
    foreign = token.replace(acme.organization.id.hex, globex.organization.id.hex)
    other = {"x_organization_id": str(globex.organization.id)}
    requests = [
        post("refresh", {"refresh_token": foreign}),
        post("refresh", {"refresh_token": token}, **other),
        post("refresh", {"refresh_token": token}, host=f"globex.{BASE_DOMAIN}"),
        post("refresh", {"refresh_token": token}, x_forwarded_host=f"globex.{BASE_DOMAIN}"),
        post("refresh", {"refresh_token": token, "organization_id": str(globex.organization.id)}),
    ]

    for request in requests:
        problem_of(identity(request), request, 401, "unauthenticated")
    assert answer_of(identity(post("log_out", {"refresh_token": token}, **other))).status == 204
    assert answer_of(identity(post("refresh", {"refresh_token": token}, host=f"acme.{BASE_DOMAIN}"))).status == 200


def test_random_token_of_an_organization_is_unknown(identity: Function, acme: Provisioned) -> None:
    text = generate_token(TokenType.REFRESH, acme.organization.id).text
    request = post("refresh", {"refresh_token": text})

    problem_of(identity(request), request, 401, "unauthenticated")
    assert answer_of(identity(post("log_out", {"refresh_token": text}))).status == 204


def test_log_out_everywhere_ends_all_tokens(identity: Function, authorizer: Function, acme: Provisioned) -> None:
    first, second = (tokens_in(identity(log_in_request(acme))) for _ in range(2))
    request = authorized(without_body(sample("identity", "log_out_everywhere")), authorizer, first["access_token"])
    show = authorized(sample("identity", "show_me"), authorizer, second["access_token"])
    assert answer_of(identity(show)).status == 200

    assert answer_of(identity(request)).status == 204

    for token in (first, second):
        refresh = post("refresh", {"refresh_token": token["refresh_token"]})
        problem_of(identity(refresh), refresh, 401, "unauthenticated")
    problem_of(identity(show), show, 401, "unauthenticated")


def test_key_has_no_member(identity: Function, acme: Provisioned) -> None:
    request = sample("identity", "show_me")
    context = {
        "credential_id": str(acme.secret_key_id), "organization_id": str(acme.organization.id), "subdomain": "acme",
        "kind": "key", "bucket": "management", "epoch": "", "scopes": "users:read users:write",
    }  # fmt: skip
    called = {**request, "requestContext": {**request["requestContext"], "authorizer": context}}

    problem_of(identity(called), called, 403, "forbidden")


def test_changed_password_keeps_the_own_session(identity: Function, authorizer: Function, acme: Provisioned) -> None:
    own, other = (tokens_in(identity(log_in_request(acme))) for _ in range(2))
    change = post("change_me", {"password": "seven purple giraffes dancing", "current_password": PASSWORD})
    request = authorized(change, authorizer, own["access_token"])

    assert answer_of(identity(request)).status == 200

    assert answer_of(identity(post("refresh", {"refresh_token": own["refresh_token"]}))).status == 200
    refused = post("refresh", {"refresh_token": other["refresh_token"]})
    problem_of(identity(refused), refused, 401, "unauthenticated")
    problem_of(identity(request), request, 401, "unauthenticated")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"password": "seven purple giraffes dancing"},
        {"current_password": PASSWORD},
        {"name": None},
        {"name": ""},
        {"role": "super_admin"},
        {"password": "x" * 257, "current_password": PASSWORD},
    ],
)
def test_incomplete_change_is_422(
    identity: Function, authorizer: Function, acme: Provisioned, body: dict[str, object]
) -> None:
    tokens = tokens_in(identity(log_in_request(acme)))
    request = authorized(post("change_me", body), authorizer, tokens["access_token"])

    problem_of(identity(request), request, 422, "invalid")


def test_no_log_line_has_a_secret(identity: Function, acme: Provisioned, logged: LogLines) -> None:
    tokens = tokens_in(identity(log_in_request(acme)))
    identity(log_in_request(acme, password=WRONG))
    identity(post("refresh", {"refresh_token": tokens["refresh_token"]}))

    text = json.dumps(logged())

    for secret in (PASSWORD, WRONG, tokens["refresh_token"], tokens["access_token"], acme.admin_email):
        assert secret not in text


def test_audit_log_shows_the_address_of_a_log_in(identity: Function, acme: Provisioned, databases: Databases) -> None:
    identity(log_in_request(acme))

    with superuser(databases) as conn:
        rows = conn.execute(
            "SELECT l.action, l.actor_kind, p.source_address FROM audit_log AS l"
            " JOIN audit_people AS p ON p.record_id = l.id WHERE l.action = 'session.started'"
        ).fetchall()

    assert rows == [("session.started", "person", "203.0.113.10")]


def test_header_without_a_value_of_the_console_is_ignored(identity: Function, acme: Provisioned) -> None:
    for value in ("0", "true", ""):
        answer = answer_of(identity(with_headers(log_in_request(acme), x_console=value)))
        assert "refresh_token" in answer.document
