"""One-time tokens over HTTP: accept an invitation, and reset a password."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from tenancy.rules.people.one_time_tokens import REFUSED_TOKEN_TEXT
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.stores.aws.secrets import REDIS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import PASSWORD, tenant_of
from tests.handlers.functions import Function, LogLines, PutSecret, Start
from tests.handlers.logged_in import CONSOLE, authorized, log_in_request, post, put_token_keys, tokens_in
from tests.handlers.requests import Answer, Event, answer_of, called_by, problem_of, sample, with_body, with_headers
from tests.use_cases.people import mailed_tokens

EVERY_MINUTE = sample("sweep", "every_minute")
ADDRESS = "new.member@acme.example"
NEW_PASSWORD = "seventeen purple bicycles"

type Mail = Callable[[str], OpaqueToken]


@pytest.fixture
def identity(start: Start, secrets: None, put_secret: PutSecret) -> Function:  # noqa: ARG001
    put_token_keys(put_secret)
    return start("identity")


@pytest.fixture
def authorizer(start: Start, identity: Function) -> Function:  # noqa: ARG001 - its keys
    return start("authorizer")


@pytest.fixture
def members(start: Start, identity: Function) -> Function:  # noqa: ARG001
    return start("members")


@pytest.fixture
def mail(start: Start, identity: Function) -> Mail:  # noqa: ARG001
    """Run the sweep, and return the token of the last mail to an address."""
    sweep = start("sweep")

    def send(address: str) -> OpaqueToken:
        sweep(EVERY_MINUTE)
        return mailed_tokens(address)[-1]

    return send


@pytest.fixture
def invitation(members: Function, mail: Mail, acme: Provisioned) -> OpaqueToken:
    request = with_body(sample("members", "invite"), {"email": ADDRESS, "role": "analyst"})
    assert answer_of(members(called_by(request, tenant_of(acme)))).status == 201
    return mail(ADDRESS)


@pytest.fixture
def reset(identity: Function, mail: Mail, acme: Provisioned) -> OpaqueToken:
    assert answer_of(identity(reset_request(acme))).status == 202
    return mail(acme.admin_email)


def accept_request(token: str, **changes: object) -> Event:
    return post("accept", {"token": token, "password": NEW_PASSWORD, "name": "Ada Member", **changes})


def reset_request(provisioned: Provisioned, email: str | None = None) -> Event:
    organization = provisioned.organization.subdomain
    return post("request_reset", {"organization": organization, "email": email or provisioned.admin_email})


def confirm_request(token: str, **changes: object) -> Event:
    return post("confirm_reset", {"token": token, "password": NEW_PASSWORD, **changes})


def test_accepted_invitation_logs_in(identity: Function, authorizer: Function, invitation: OpaqueToken) -> None:
    tokens = tokens_in(identity(accept_request(invitation.text)))

    me = answer_of(identity(authorized(sample("identity", "show_me"), authorizer, tokens["access_token"]))).document

    assert (me["email"], me["name"], me["role"]) == (ADDRESS, "Ada Member", "analyst")
    assert tokens["refresh_token"].startswith("rt_")


def test_console_gets_the_session_in_its_cookie(identity: Function, invitation: OpaqueToken) -> None:
    answer = answer_of(identity(with_headers(accept_request(invitation.text), **CONSOLE)))

    assert answer.status == 200
    assert "refresh_token" not in answer.document
    assert "HttpOnly" in answer.headers["set-cookie"]


def test_reset_password_logs_in_and_the_old_one_does_not(
    identity: Function, authorizer: Function, reset: OpaqueToken, acme: Provisioned
) -> None:
    before = tokens_in(identity(log_in_request(acme)))
    authorized(sample("identity", "show_me"), authorizer, before["access_token"])

    answer = answer_of(identity(confirm_request(reset.text)))

    assert (answer.status, answer.body) == (204, "")
    assert answer_of(identity(log_in_request(acme, password=NEW_PASSWORD))).status == 200
    old = log_in_request(acme)
    problem_of(identity(old), old, 401, "unauthenticated")
    refresh = post("refresh", {"refresh_token": before["refresh_token"]})
    problem_of(identity(refresh), refresh, 401, "unauthenticated")


def test_answer_to_a_reset_request_tells_nothing(identity: Function, acme: Provisioned) -> None:
    unknown = post("request_reset", {"organization": str(uuid4()), "email": acme.admin_email})

    answers = [
        answer_of(identity(request))
        for request in (
            *(reset_request(acme) for _ in range(5)),
            reset_request(acme, "unknown@acme.example"),
            unknown,
        )
    ]

    assert {(answer.status, answer.body) for answer in answers} == {(202, "")}
    assert len({frozenset(_headers(answer)) for answer in answers}) == 1


def _headers(answer: Answer) -> set[str]:
    return set(answer.headers)


def test_refused_tokens_have_one_answer(
    identity: Function, invitation: OpaqueToken, acme: Provisioned, globex: Provisioned
) -> None:
    used = invitation.text
    identity(accept_request(used))
    foreign = generate_token(TokenType.ONE_TIME, globex.organization.id).text
    refresh = generate_token(TokenType.REFRESH, acme.organization.id).text
    texts = (used, foreign, refresh, used[:-1], "", f"{used[:-1]}-", generate_token(TokenType.ONE_TIME, uuid4()).text)

    for build in (accept_request, confirm_request):
        for text in texts:
            request = build(text)
            assert problem_of(identity(request), request, 401, "unauthenticated")["detail"] == REFUSED_TOKEN_TEXT


def test_token_of_another_organization_than_named_is_refused(
    identity: Function, invitation: OpaqueToken, acme: Provisioned, globex: Provisioned
) -> None:
    foreign = with_headers(accept_request(invitation.text), x_organization_id=str(globex.organization.id))
    own = with_headers(accept_request(invitation.text), x_organization_id=str(acme.organization.id))

    assert problem_of(identity(foreign), foreign, 401, "unauthenticated")["detail"] == REFUSED_TOKEN_TEXT
    assert answer_of(identity(own)).status == 200


def test_token_that_is_too_long_is_422(identity: Function) -> None:
    request = accept_request("ot_" + "x" * 1_000)

    assert problem_of(identity(request), request, 422, "invalid")["errors"][0]["location"] == "body/token"


@pytest.mark.parametrize(
    ("changes", "location"),
    [
        ({"password": "short"}, "body/password"),
        ({"password": "new.member"}, "body/password"),
        ({"name": "\u202e"}, "body/name"),
        ({"role": "admin"}, "body/role"),
    ],
)
def test_invalid_acceptance_leaves_the_invitation(
    identity: Function, invitation: OpaqueToken, changes: dict[str, object], location: str
) -> None:
    request = accept_request(invitation.text, **changes)

    errors = problem_of(identity(request), request, 422, "invalid")["errors"]

    assert [error["location"] for error in errors] == [location]
    assert answer_of(identity(accept_request(invitation.text))).status == 200


def test_reset_without_an_organization_is_422(identity: Function) -> None:
    request = post("request_reset", {"email": "admin@acme.example"})

    assert problem_of(identity(request), request, 422, "invalid")["errors"][0]["location"] == "body/organization"


def test_log_has_no_token_password_or_address(
    identity: Function, invitation: OpaqueToken, acme: Provisioned, logged: LogLines
) -> None:
    identity(accept_request(invitation.text))
    identity(confirm_request(invitation.text))
    identity(reset_request(acme))

    text = str(logged())
    assert text
    for secret in (invitation.text, NEW_PASSWORD, PASSWORD, ADDRESS, acme.admin_email):
        assert secret not in text


def count_unpublished(lines: str, acme: Provisioned) -> int:
    """Return the number of metrics of revocations that are not in Redis."""
    return sum("StandingNotPublished" in each and str(acme.organization.id) in each for each in lines.splitlines())


def test_acceptance_that_redis_missed_is_counted(
    start: Start,
    put_secret: PutSecret,
    nowhere: str,
    acme: Provisioned,
    invitation: OpaqueToken,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_secret(REDIS, f"redis://{nowhere}/0")

    answer = answer_of(start("identity")(accept_request(invitation.text)))

    assert answer.status == 200
    assert count_unpublished(capsys.readouterr().out, acme) == 1


def test_reset_that_redis_missed_is_counted(
    start: Start,
    put_secret: PutSecret,
    nowhere: str,
    acme: Provisioned,
    reset: OpaqueToken,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_secret(REDIS, f"redis://{nowhere}/0")

    answer = answer_of(start("identity")(confirm_request(reset.text)))

    assert answer.status == 204
    assert count_unpublished(capsys.readouterr().out, acme) == 1
