"""Changed credentials are refused at the next request, despite the cache of API Gateway.

Each test first makes a request with the credential, so that the answer is cached for a minute.
"""

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.deployed import Answer, Api, Organization, Stack, refusal_of, sweep, wait_for
from tests.e2e.test_limits import event

PASSWORD = "battery staple horse correct"
ONE_TIME_TOKEN = re.compile(r"ot_[0-9A-Za-z]+")
LIFE = timedelta(seconds=20)  # of a key or an overlap; long enough for the first requests on a slow machine
CLOCK_STEP_SECONDS = 0.01
UNAUTHENTICATED = (401, "unauthenticated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member who is logged in."""

    id: str
    email: str
    access_token: str
    refresh_token: str


def ok(answer: Answer, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    assert answer.status == status, answer.document
    return answer.document


def log_in(api: Api, organization_id: str, email: str, password: str) -> dict[str, str]:
    body = {"organization": organization_id, "email": email, "password": password}
    tokens: dict[str, str] = ok(api.post("/auth/token", None, body))
    return tokens


@pytest.fixture
def administrator(api: Api, acme: Organization) -> str:
    """Return an access token of acme's super_admin."""
    return log_in(api, acme.id, acme.admin_email, acme.admin_password)["access_token"]


def invite(stack: Stack, api: Api, administrator: str, role: str) -> Member:
    """Invite a member, accept with the token of the mail, and return the member."""
    email = f"{role}-{secrets.token_hex(4)}@acme.example"
    user = ok(api.post("/users", administrator, {"email": email, "role": role}), 201)
    token = token_in_mail(stack, email)
    tokens = ok(api.post("/users/accept", None, {"token": token, "password": PASSWORD}))
    return Member(
        id=user["id"], email=email, access_token=tokens["access_token"], refresh_token=tokens["refresh_token"]
    )


def token_in_mail(stack: Stack, email: str) -> str:
    """Return the one-time token of the last mail to *email*."""

    def received() -> list[str]:
        texts = [json.dumps(mail) for mail in stack.mail() if email in json.dumps(mail)]
        return [found[-1] for text in texts if (found := ONE_TIME_TOKEN.findall(text))]

    def count_received() -> int:
        sweep(stack)
        return len(received())

    assert wait_for(count_received, 1) >= 1
    return received()[-1]


def create_key(api: Api, administrator: str, acme: Organization, kind: str, **members: object) -> dict[str, Any]:
    """Create a key of type *kind*, and return it with its text."""
    app = {"app_id": acme.app_id} if kind == "write" else {}
    created: dict[str, Any] = ok(
        api.post("/keys", administrator, {"type": kind, "name": "Short-lived", **app, **members}), 201
    )
    return created


type Send = Callable[[Api, str], Answer]


def read_usage(api: Api, credential: str) -> Answer:
    return api.get("/usage", credential)


def send_event(api: Api, credential: str) -> Answer:
    return api.post("/events", credential, {"events": [event(1)]})


def send_batch(api: Api, credential: str) -> Answer:
    """Send as Segment's mobile SDKs do: the write key is in the body."""
    call = {"type": "track", "event": "Opened", "messageId": "1", "anonymousId": "d"}
    return api.post("/batch", None, {"batch": [call], "writeKey": credential})


KEYS: dict[str, tuple[str, Send]] = {
    "secret key": ("secret", read_usage),
    "write key": ("write", send_event),
    "write key on a Segment path": ("write", send_batch),
}


def wait_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()) + CLOCK_STEP_SECONDS)


@pytest.mark.parametrize("kind", KEYS)
def test_revoked_key_is_refused_at_its_next_request(
    api: Api, acme: Organization, administrator: str, kind: str
) -> None:
    key_type, send = KEYS[kind]
    key = create_key(api, administrator, acme, key_type)
    assert send(api, key["key"]).status == 200

    assert api.call("DELETE", f"/keys/{key['id']}", administrator).status == 204

    assert refusal_of(send(api, key["key"])) == UNAUTHENTICATED


def send_all(api: Api, keys: Mapping[str, str]) -> list[Answer]:
    """Send a request with each of these keys, by their kind."""
    return [KEYS[kind][1](api, key) for kind, key in keys.items()]


def test_key_is_refused_after_its_end_or_its_overlap(api: Api, acme: Organization, administrator: str) -> None:
    overlap = {"overlap_seconds": int(LIFE.total_seconds())}
    rotated = {kind: create_key(api, administrator, acme, key_type) for kind, (key_type, _) in KEYS.items()}
    end = datetime.now(UTC) + LIFE
    expiring = {
        kind: create_key(api, administrator, acme, key_type, expires_at=end.isoformat())["key"]
        for kind, (key_type, _) in KEYS.items()
    }
    assert {answer.status for answer in send_all(api, expiring)} == {200}
    new = {
        kind: ok(api.post(f"/keys/{key['id']}/rotate", administrator, overlap), 201)["key"]
        for kind, key in rotated.items()
    }
    end = datetime.now(UTC) + LIFE  # of the last overlap
    old = {kind: key["key"] for kind, key in rotated.items()}
    assert {answer.status for keys in (old, new) for answer in send_all(api, keys)} == {200}

    wait_until(end)

    assert {refusal_of(answer) for keys in (expiring, old) for answer in send_all(api, keys)} == {UNAUTHENTICATED}
    assert {answer.status for answer in send_all(api, new)} == {200}


def test_revoked_platform_key_is_refused_at_its_next_request(stack: Stack, api: Api) -> None:
    key = ok(api.post("/platform-keys", stack.platform_key, {"name": "Short-lived"}), 201)
    assert api.get("/organizations?limit=1", key["key"]).status == 200

    assert api.call("DELETE", f"/platform-keys/{key['id']}", stack.platform_key).status == 204

    assert refusal_of(api.get("/organizations?limit=1", key["key"])) == UNAUTHENTICATED


def patch(api: Api, path: str, credential: str, document: object) -> Answer:
    return api.call("PATCH", path, credential, body=json.dumps(document).encode())


def disable(stack: Stack, api: Api, administrator: str, member: Member) -> None:
    del stack
    ok(patch(api, f"/users/{member.id}", administrator, {"status": "disabled"}))


def change_role(stack: Stack, api: Api, administrator: str, member: Member) -> None:
    del stack
    ok(patch(api, f"/users/{member.id}", administrator, {"role": "viewer"}))


def remove(stack: Stack, api: Api, administrator: str, member: Member) -> None:
    del stack
    assert api.call("DELETE", f"/users/{member.id}", administrator).status == 204


def log_out_everywhere(stack: Stack, api: Api, administrator: str, member: Member) -> None:
    del stack, administrator
    assert api.post("/auth/logout-all", member.access_token, None).status == 204


def change_password(stack: Stack, api: Api, administrator: str, member: Member) -> None:
    del stack, administrator
    new = {"current_password": PASSWORD, "password": "horse correct battery staple"}
    ok(patch(api, "/me", member.access_token, new))


def reset_password(stack: Stack, api: Api, administrator: str, member: Member) -> None:
    organization = ok(api.get("/me", administrator))["organization"]["id"]
    reset = {"email": member.email, "organization": organization}
    assert api.post("/auth/password-reset", None, reset).status == 202
    new = {"token": token_in_mail(stack, member.email), "password": "horse correct battery staple"}
    assert api.post("/auth/password-reset/confirm", None, new).status == 204


CHANGES = [disable, change_role, remove, log_out_everywhere, change_password, reset_password]


@pytest.mark.parametrize("change", CHANGES)
def test_token_is_refused_at_its_next_request_after(
    stack: Stack, api: Api, administrator: str, change: Callable[[Stack, Api, str, Member], None]
) -> None:
    member = invite(stack, api, administrator, "analyst")
    assert api.get("/usage", member.access_token).status == 200

    change(stack, api, administrator, member)

    assert refusal_of(api.get("/usage", member.access_token)) == UNAUTHENTICATED


@pytest.mark.parametrize("kind", ["secret key", "write key", "access token"])
def test_suspension_is_refused_at_the_next_request(
    stack: Stack, api: Api, acme: Organization, administrator: str, kind: str
) -> None:
    credential, send = {
        "secret key": (acme.secret_key, read_usage),
        "write key": (acme.write_key, send_event),
        "access token": (administrator, read_usage),
    }[kind]
    assert send(api, credential).status == 200

    ok(patch(api, f"/organizations/{acme.id}", stack.platform_key, {"status": "suspended"}))

    assert refusal_of(send(api, credential)) == (403, "organization_inactive")
