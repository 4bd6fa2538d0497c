"""Organizations with a connection, and browsers that log in by it."""

from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, superuser
from tests.handlers.logged_in import post
from tests.handlers.requests import (
    Answer,
    Event,
    answer_of,
    called_by,
    sample,
    with_body,
    with_headers,
    with_path,
    with_query,
)
from tests.handlers.single_sign_on.provider import CLIENT_ID, CLIENT_SECRET, Provider

REDIRECT_URI = "https://app.acme.example/signed-in?from=sso"
CALLBACK_ROUTE = "/auth/sso/callback/{organization_id}"
INSERT_PROVEN_DOMAIN = """
    INSERT INTO email_domains (organization_id, domain, id, token, created_at, verified_at, check_at)
    VALUES (%s, %s, %s, repeat('t', 40), now(), now(), now() + interval '7 days')
"""
ALLOW_SSO = "UPDATE organizations SET overrides = overrides || '{\"sso\": true}' WHERE id = %s"


def settings_of(provider: Provider, **changes: object) -> dict[str, object]:
    return {
        "type": "oidc",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "default_role": "viewer",
        "redirect_uris": [REDIRECT_URI],
        **changes,
    }


def put_request(provisioned: Provisioned, body: object) -> Event:
    """Return the request of the organization's administrator to set its connection."""
    return with_body(called_by(sample("sso", "set_connection"), tenant_of(provisioned)), body)


def as_admin(provisioned: Provisioned, case: str) -> Event:
    return called_by(sample("sso", case), tenant_of(provisioned))


def prove_domain(databases: Databases, provisioned: Provisioned, domain: str) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_PROVEN_DOMAIN, (provisioned.organization.id, domain, uuid4()))


def allow_sso(databases: Databases, provisioned: Provisioned) -> None:
    """Give an organization of any tier single sign-on, by an override."""
    with superuser(databases) as conn:
        conn.execute(ALLOW_SSO, (provisioned.organization.id,))


def callback_request(organization_id: UUID) -> Event:
    request = with_path(sample("sso", "callback"), f"/auth/sso/callback/{organization_id}", CALLBACK_ROUTE)
    return {**request, "pathParameters": {"organization_id": str(organization_id)}}


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@dataclass(slots=True, kw_only=True)
class SsoBrowser:
    """A browser with its cookies. It is at the API's host."""

    sso: Function
    identity: Function
    provisioned: Provisioned
    cookies: dict[str, str] = field(default_factory=dict)

    def start(self, **query: str) -> Answer:
        members = {"organization": self.provisioned.organization.subdomain, "redirect_uri": REDIRECT_URI, **query}
        return self._get("start", {name: value for name, value in members.items() if value})

    def come_back(self, members: dict[str, str], organization_id: UUID | None = None) -> Answer:
        """Bring the answer of the provider to our callback for the organization, which is the browser's own."""
        return self._send(callback_request(organization_id or self.provisioned.organization.id), members)

    def exchange(self, code: str, **members: object) -> Answer:
        return answer_of(self.identity(post("log_in_by_sso", {"code": code, **members})))

    def log_in(self, provider: Provider) -> Answer:
        """Make the whole way, and return the answer with the tokens or the first refusal."""
        finished = self.come_back(provider.authorize(self.start().headers["location"]))
        return self.exchange(query_of(finished.headers["location"])["code"]) if finished.status == 302 else finished

    def _get(self, case: str, query: dict[str, str]) -> Answer:
        return self._send(sample("sso", case), query)

    def _send(self, request: Event, query: dict[str, str]) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        request = with_headers(with_query(request, **query), cookie=cookie or None)
        answer = answer_of(self.sso(request))
        if "set-cookie" in answer.headers:
            self._keep(answer.headers["set-cookie"])
        return answer

    def _keep(self, text: str) -> None:
        for name, morsel in SimpleCookie(text).items():
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


def members_of(databases: Databases, provisioned: Provisioned) -> list[tuple[Any, ...]]:
    """Return address, role, status and whether there is a password of each member, by address."""
    with superuser(databases) as conn:
        return conn.execute(
            "SELECT email, role, status, password_hash IS NOT NULL FROM users WHERE organization_id = %s"
            " ORDER BY email",
            (provisioned.organization.id,),
        ).fetchall()
