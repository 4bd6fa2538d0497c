"""Members that log in at the function `identity`, and requests with their tokens."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from tenancy.gateway.session_cookie import HOST_COOKIE
from tenancy.rules.access_tokens.token_keys import TokenKeys, generate_token_key, rotate_keys
from tenancy.stores.aws.secrets import TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import PASSWORD
from tests.handlers.functions import BASE_DOMAIN, Function, PutSecret
from tests.handlers.requests import Answer, Event, answer_of, sample, with_body, with_headers

HOST = f"api.{BASE_DOMAIN}"
ORIGIN = f"https://{HOST}"
CONSOLE = {"x_console": "1", "origin": ORIGIN, "host": HOST}


def put_token_keys(put_secret: PutSecret) -> None:
    """Store keys of access tokens, as the function `token_keys` does at the first deploy."""
    keys = rotate_keys(TokenKeys(), now=datetime.now(UTC), generate=generate_token_key)
    put_secret(TOKEN_SIGNING_KEYS, msgspec.json.encode(keys.signing).decode())
    put_secret(TOKEN_PUBLIC_KEYS, msgspec.json.encode(keys.verifying).decode())


def post(case: str, body: object, **headers: str | None) -> Event:
    """Return the sample request *case* with *body* and *headers*."""
    return with_headers(with_body(sample("identity", case), body), **headers)


def log_in_request(provisioned: Provisioned, *, password: str = PASSWORD, **headers: str | None) -> Event:
    body = {
        "email": provisioned.admin_email,
        "password": password,
        "organization": provisioned.organization.subdomain,
    }
    return post("log_in", body, **headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A browser that sends X-Console, its cookie and its origin."""

    identity: Function
    cookies: dict[str, str]

    def send(self, request: Event) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = answer_of(self.identity(with_headers(request, **CONSOLE, cookie=cookie or None)))
        if "set-cookie" in answer.headers:
            name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    @property
    def token(self) -> str:
        return self.cookies[HOST_COOKIE]


def authorized(request: Event, authorizer: Function, access_token: str) -> Event:
    """Return *request* as API Gateway passes it on with an accepted *access_token*."""
    bearer = f"Bearer {access_token}"
    accepted = authorizer(with_headers(sample("authorizer", "secret_key"), authorization=bearer))
    context = {**request["requestContext"], "authorizer": dict(accepted["context"])}
    return {**with_headers(request, authorization=bearer), "requestContext": context}


def without_body(request: Event) -> Event:
    return {**request, "body": None, "isBase64Encoded": False}


def tokens_in(response: dict[str, Any]) -> dict[str, Any]:
    answer = answer_of(response)
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.document
    return document
