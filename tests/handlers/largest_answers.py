"""The largest successful answer of every route: the largest rows, and the request for them."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import msgspec

from tenancy.gateway.documents.audit import PAGE_SIZES
from tenancy.gateway.documents.branding import CSS_VARIABLES
from tenancy.gateway.documents.usage import MAX_DAYS
from tenancy.rules.access_tokens.public_keys import MAX_KEYS
from tenancy.rules.access_tokens.token_keys import MAX_PUBLIC_KEYS, VerifyingKeys, generate_token_key
from tenancy.rules.branding.branding import COLOR_NAMES
from tenancy.rules.branding.images import MAX_IMAGE_BYTES
from tenancy.rules.branding.sender import SENDER_NAME_MAX_CHARACTERS
from tenancy.rules.compliance import MAX_SHOWN
from tenancy.rules.cursors import MAX_PAGE
from tenancy.rules.dead_letters import MAX_SHOWN_SAMPLES
from tenancy.rules.deletion import REASON_MAX_CHARACTERS
from tenancy.rules.entitlements import BOUNDS, FLAG_NAMES
from tenancy.rules.events.batch import MAX_EVENTS
from tenancy.rules.events.currencies import CURRENCIES
from tenancy.rules.events.fields import TYPE_MAX_CHARACTERS
from tenancy.rules.events.row import MAX_EVENT_BYTES
from tenancy.rules.exports import export_folder
from tenancy.rules.people.opaque_tokens import TokenType, generate_token
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.saml.encrypted_identity import encrypt_identity
from tenancy.rules.saml.provider import MAX_CERTIFICATES
from tenancy.rules.sso.connection import MAX_REDIRECT_URIS
from tenancy.rules.sso.id_token import ProvenIdentity
from tenancy.rules.sso.log_in import BrowserSecret
from tenancy.rules.statistics import MAX_GROUPS
from tenancy.rules.stored_events import EventOrder
from tenancy.rules.texts import NAME_MAX_CHARACTERS
from tenancy.rules.time_zones import UTC_ZONE
from tenancy.rules.traced_events import MAX_TRACED_IDS
from tenancy.stores.aws.secrets import JWKS, TOKEN_PUBLIC_KEYS
from tenancy.use_cases.organizations.provision import Provisioned
from tests import aws_account
from tests.given import PASSWORD, ROOT, Databases, member_of, tenant_of
from tests.handlers.functions import PREFIX, superuser
from tests.handlers.logged_in import log_in_request
from tests.handlers.requests import (
    OPERATOR,
    Event,
    called_by,
    cloud_event,
    recent_event,
    sample,
    segment_call,
    with_basic_auth,
    with_body,
    with_headers,
    with_path,
    with_query,
)
from tests.isolation.proof.discovery.deployment import Route
from tests.saml_provider import SigningKey as SamlKey
from tests.saml_provider import answer_form
from tests.unit.signed_tokens import OLD_JWK

LARGE = "😀"  # a character that takes most bytes in JSON: a surrogate pair of 12, of which 2 are escaped again
LARGE_NUMBER = 2**62

INSERT_ORGANIZATIONS = """
    INSERT INTO organizations (id, name, subdomain, tier, gateway_key, created_at, status, deleted_at, purge_at,
                               deletion_reason, overrides)
    SELECT gen_random_uuid(), repeat(%(large)s, 255), %(letter)s || lpad(n::text, 62, '0'), 'enterprise',
           %(letter)s || n, now(), 'deleted', now(), now(), repeat(%(large)s, %(reason)s), %(overrides)s
    FROM generate_series(1, %(rows)s) AS n
"""
LARGEST_OVERRIDES = {
    **{name: bounds.most for name, bounds in BOUNDS.items()},
    **dict.fromkeys(FLAG_NAMES, False),
    "ingest_requests_per_minute": 20_000,  # both rates have a largest sum
}
ALLOW_WHITE_LABEL = (
    "UPDATE organizations SET overrides = overrides || '{\"white_label\": true}' WHERE id = %(organization_id)s"
)
ALLOW_SSO = "UPDATE organizations SET overrides = overrides || '{\"sso\": true}' WHERE id = %(organization_id)s"
ALLOW_BRANDING = "UPDATE organizations SET overrides = '{\"white_label\": true}' WHERE id = %(organization_id)s"
LARGEST_BRANDING = {
    **dict.fromkeys(COLOR_NAMES, "#7f7f7f"),  # with the longest warnings
    "css_variables": {
        name: ", ".join(["Source Sans 3"] * 5) if "font-f" in name else "#7f7f7f" if "color" in name else "63.99px"
        for name in CSS_VARIABLES
    },
    "sender_name": "😀" * SENDER_NAME_MAX_CHARACTERS,
}
INSERT_BRANDING = """
    INSERT INTO tenant_branding (
        organization_id, primary_color, secondary_color, accent_color, css_variables, sender_name, sender_address,
        updated_at
    )
    VALUES (
        %(organization_id)s, %(primary_color)s, %(secondary_color)s, %(accent_color)s, %(css_variables)s,
        %(sender_name)s, %(sender_address)s, now()
    )
"""
INSERT_IMAGE = """
    INSERT INTO branding_images (organization_id, slot, digest, media_type, content, stored_at)
    SELECT %(organization_id)s, slot, %(digest)s, 'image/webp', %(content)s, now()
    FROM unnest(ARRAY['logo', 'favicon']) AS slot
"""
LARGEST_IMAGE = bytes(MAX_IMAGE_BYTES)
LONGEST_DOMAIN = f"{'a.' * 112}example"
INSERT_CUSTOM_DOMAINS = """
    INSERT INTO custom_domains (organization_id, domain, id, token, status, created_at, checked_at, verified_at,
                                check_at, missing_since, validation_name, validation_value)
    SELECT %(organization_id)s,
           'a' || n || '.' || left(gen_random_uuid()::text || repeat('b', 42), 42) || '.acme.example',
           gen_random_uuid(), repeat('x', 100), 'verified', now(), now(), now(), now(), now(), repeat('n', 1000),
           repeat('v', 1000)
    FROM generate_series(1, %(rows)s) AS n
"""
INSERT_EMAIL_DOMAINS = """
    INSERT INTO email_domains (organization_id, domain, id, token, created_at, verified_at, check_at, missing_since)
    SELECT %(organization_id)s, lpad(n::text, 100, 'a.') || repeat('.' || repeat('b', 60), 2) || '.example',
           gen_random_uuid(), repeat('x', 100), now(), now(), now(), now()
    FROM generate_series(1, %(rows)s) AS n
"""
ENLARGE_OVERRIDES = "UPDATE organizations SET overrides = %(overrides)s WHERE id = %(organization_id)s"
LONGEST_EMAIL = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 55}.example"
INSERT_SESSION = """
    INSERT INTO sessions (organization_id, id, user_id, organization_epoch, created_at, refreshed_at, expires_at)
    VALUES (%(organization_id)s, %(session_id)s, %(user_id)s, 0, now(), now(), now() + interval '1 day')
"""
INSERT_MEMBER = """
    INSERT INTO users (id, organization_id, email, role, status, password_hash)
    VALUES (%(user_id)s, %(organization_id)s, %(email)s, 'super_admin', %(status)s,
            CASE %(status)s WHEN 'active' THEN 'unused' END)
"""
INSERT_ONE_TIME_TOKEN = """
    INSERT INTO one_time_tokens (organization_id, id, user_id, purpose, digest, created_at, expires_at)
    VALUES (%(organization_id)s, %(token_id)s, %(user_id)s, %(purpose)s, %(digest)s, now(), now() + interval '1 day')
"""
INSERT_REFRESH_TOKEN = """
    INSERT INTO refresh_tokens (organization_id, digest, session_id, created_at)
    VALUES (%(organization_id)s, %(digest)s, %(session_id)s, now())
"""
ENLARGE_ORGANIZATION = "UPDATE organizations SET name = repeat(%s, 255) WHERE id = %s"
INSERT_ENTRIES = """
    INSERT INTO audit_log (id, organization_id, occurred_at, actor_kind, actor_id, action, target, outcome, code, count,
                           request_id, personal_digest)
    SELECT gen_random_uuid(), %(organization_id)s, now(), 'operator', gen_random_uuid(), repeat('a', 200),
           repeat('"', 4096), 'refused', repeat('c', 100), 2147483647, gen_random_uuid()::text, sha256('x')
    FROM generate_series(1, %(rows)s)
"""
INSERT_ACCESSES = """
    INSERT INTO audit_log (id, organization_id, occurred_at, actor_kind, actor_id, action, target, outcome, code, count,
                           request_id, personal_digest)
    SELECT gen_random_uuid(), %(organization_id)s, now(), 'operator', gen_random_uuid(), %(action)s,
           repeat('"', 4096), 'refused', 'tenant_mismatch', 2147483647, gen_random_uuid()::text, sha256('x')
    FROM generate_series(1, %(rows)s)
"""
INSERT_OLD_KEYS = """
    WITH policy AS (
        UPDATE organizations SET key_rotation_days = 1 WHERE id = %(organization_id)s
    )
    INSERT INTO api_keys (id, organization_id, type, name, digest, hint, scopes, created_at, expires_at)
    SELECT gen_random_uuid(), %(organization_id)s, 'sk', 'old', sha256(('old ' || n)::bytea), 'hint', '{}',
           now() - interval '1 year', now() + interval '1 year'
    FROM generate_series(1, %(rows)s) AS n
"""
INSERT_DAYS = """
    INSERT INTO tenant_usage (organization_id, metric_date, events_count, api_requests_count, management_requests_count,
                              storage_bytes, ml_predictions_count, unique_users_count)
    SELECT %(organization_id)s, date '2001-01-01' + n, %(large)s, %(large)s, 0, %(large)s, %(large)s, %(large)s
    FROM generate_series(1, %(rows)s) AS n
"""
INSERT_EXPORTS = """
    INSERT INTO exports (id, organization_id, actor_kind, actor_id, status, generation, requested_at, finished_at,
                         expires_at)
    SELECT gen_random_uuid(), %(organization_id)s, 'key', gen_random_uuid(), 'done', 2147483647, now(), now(),
           now() + interval '7 days'
    FROM generate_series(1, %(rows)s)
"""
INSERT_FILES = """
    INSERT INTO export_files (organization_id, export_id, generation, number, name, section, row_count, size_bytes,
                              sha256)
    SELECT organization_id, id, generation, n, %(folder)s || repeat('n', 200) || n, 'daily_statistics',
           %(large)s, %(large)s, sha256('x')
    FROM exports, generate_series(1, %(rows)s) AS n WHERE id = %(export_id)s
"""
INSERT_ERASURES = """
    INSERT INTO erasures (id, organization_id, actor_kind, actor_id, subject_kind, status, events_before, events_after,
                          held_events_before, held_events_after, requested_at, erased_at, confirmed_at)
    SELECT gen_random_uuid(), %(organization_id)s, 'key', gen_random_uuid(), 'device_id', 'confirmed', %(large)s,
           %(large)s, %(large)s, %(large)s, now(), now(), now()
    FROM generate_series(1, %(rows)s)
"""
LONGEST_REDIRECT_URI = f"https://app.acme.example/{'r' * 1_975}"
INSERT_CONNECTION = """
    INSERT INTO sso_connections (
        organization_id, id, type, issuer, client_id, encrypted_secret, authorization_endpoint, token_endpoint,
        jwks_uri, is_secret_in_form, names_issuer, discovered_at, default_role, required, redirect_uris, created_at,
        updated_at
    )
    VALUES (
        %(organization_id)s, %(organization_id)s, 'oidc', 'https://' || repeat('i', 492), repeat('c', 255), 'x',
        'https://' || repeat('e', 1992), 'https://e', 'https://e', false, false, now(), 'super_admin', false,
        %(redirect_uris)s, now(), now()
    )
"""
SAML_ISSUER = f"https://{'i' * 492}"
MAKE_SAML = """
    UPDATE sso_connections SET type = 'saml', realm_id = gen_random_uuid(), issuer = %(issuer)s,
        sign_in_url = 'https://' || repeat('u', 1992), metadata_url = 'https://' || repeat('m', 1992),
        certificates = %(certificates)s
    WHERE organization_id = %(organization_id)s
"""
PROVE_DOMAIN = """
    INSERT INTO email_domains (organization_id, domain, id, token, created_at, verified_at, check_at)
    VALUES (%(organization_id)s, %(domain)s, gen_random_uuid(), 'x', now(), now(), now())
"""
HAND_OVER = """
    UPDATE sso_log_ins SET used_at = now(), finish_digest = %(finish)s, sealed_identity = %(encrypted)s
    WHERE organization_id = %(organization_id)s
"""
INSERT_LOG_IN = """
    INSERT INTO sso_log_ins (
        organization_id, state_digest, browser_digest, connection_id, redirect_uri, started_at, expires_at
    )
    VALUES (
        %(organization_id)s, %(state)s, %(browser)s, %(organization_id)s, %(redirect_uri)s, now(),
        now() + interval '10 minutes'
    )
"""
INSERT_PROVEN_LOG_IN = """
    INSERT INTO sso_log_ins (
        organization_id, state_digest, browser_digest, connection_id, redirect_uri, started_at, expires_at, user_id,
        code_digest
    )
    VALUES (
        %(organization_id)s, sha256('state'), sha256('browser'), %(organization_id)s, 'https://app.acme.example/',
        now(), now() + interval '1 minute', %(user_id)s, %(code)s
    )
"""
INSERT_USERS = """
    INSERT INTO users (id, organization_id, email, name, role, status)
    SELECT gen_random_uuid(), %(organization_id)s, lpad(n::text, 254, '"'), repeat(%(large)s, 255), 'super_admin',
           'invited'
    FROM generate_series(1, %(rows)s) AS n
"""
INSERT_CERTIFICATES = """
    INSERT INTO deletion_certificates (id, organization_id, generation, issued_at, text, signature)
    SELECT gen_random_uuid(), %(organization_id)s, 1, now() + n * interval '1 hour',
           json_build_object('counts', repeat('"', 10000)), decode(repeat('ab', 72), 'hex')
    FROM generate_series(1, %(rows)s) AS n
"""
INSERT_LETTERS = """
    INSERT INTO dead_letters (organization_id, id, letter_kind, cause, events, size_bytes, first_received_at,
                              expires_at, seen_at, stored_at)
    SELECT %(organization_id)s, gen_random_uuid(), 'events', lpad(cause::text, 200, '"'), 2147483647, %(bytes)s,
           now(), now() + interval '14 days', now(), now()
    FROM generate_series(1, %(rows)s) AS cause, generate_series(1, %(samples)s)
"""
INSERT_APPS = """
    INSERT INTO apps (id, organization_id, name, platform)
    SELECT gen_random_uuid(), %(organization_id)s, repeat(%(large)s, 255), repeat(%(large)s, 100)
    FROM generate_series(1, %(rows)s)
"""
INSERT_KEYS = """
    INSERT INTO api_keys (id, organization_id, type, app_id, name, digest, hint, prefix, scopes, last_used_at,
                          expires_at, replaced_by)
    SELECT gen_random_uuid(), %(organization_id)s, 'sk', %(app_id)s, repeat(%(large)s, 255), sha256(n::text::bytea),
           'hint', 'sk_12345', %(scopes)s, now(), now() + interval '1 day', gen_random_uuid()
    FROM generate_series(1, %(rows)s) AS n
"""
INSERT_PLATFORM_KEYS = """
    INSERT INTO platform_keys (name, digest, hint, prefix, last_used_at, expires_at, replaced_by)
    SELECT repeat(%(large)s, 255), sha256(n::text::bytea), 'hint', 'pk_12345', now(), now() + interval '1 day',
           gen_random_uuid()
    FROM generate_series(1, %(rows)s) AS n
"""
INSERT_EVENTS = """
    INSERT INTO events (organization_id, event_id, event_type, event_name, device_id, platform, event_timestamp,
                        revenue, currency, received_at, app_id)
    SELECT {organization_id:UUID}, toString(number), repeat({large:String}, {type:UInt32}),
           concat(repeat({large:String}, {name:UInt32} - 4), leftPad(toString(number % {groups:UInt32}), 4, '0')),
           'device', repeat({large:String}, {name:UInt32}), {at:DateTime64(3, 'UTC')}, 999999999999.999999,
           arrayElement({currencies:Array(String)}, intDiv(number, {groups:UInt32}) + 1), {at:DateTime64(3, 'UTC')},
           {organization_id:UUID}
    FROM numbers({groups:UInt32} * length({currencies:Array(String)}))
"""
LONGEST_ZONE: Final = "America/Argentina/ComodRivadavia"
INSERT_LARGE_EVENTS = """
    INSERT INTO events (organization_id, event_id, event_type, event_name, device_id, platform, event_timestamp,
                        revenue, currency, received_at, created_at, properties, app_id)
    SELECT {organization_id:UUID}, toString(number), repeat({large:String}, {type:UInt32}),
           repeat({large:String}, {name:UInt32}), repeat({large:String}, {name:UInt32}), 'ios',
           {at:DateTime64(3, 'UTC')}, 999999999999.999999, 'USD', {at:DateTime64(3, 'UTC')}, {at:DateTime64(3, 'UTC')},
           concat('{"text":"', repeat({escaped:String}, {characters:UInt32}), '"}'), {organization_id:UUID}
    FROM numbers({rows:UInt32})
"""
CURRENCIES_OF_A_GROUP: Final = 20  # with them 1,000 groups are larger than a page


@dataclass(frozen=True, slots=True, kw_only=True)
class Largest:
    """The databases of a deployment, and an organization that is filled."""

    databases: Databases
    acme: Provisioned
    issuer: str = ""

    def execute(self, statement: str, **values: object) -> Any:  # noqa: ANN401 - rows
        """Run *statement* without row-level security, with the parameters that all statements share."""
        known = {"organization_id": self.acme.organization.id, "large": LARGE_NUMBER, **values}
        with superuser(self.databases) as conn:
            cursor = conn.execute(statement, known)
            return cursor.fetchall() if cursor.description else []

    def as_tenant(self, request: Event, **query: str) -> Event:
        return called_by(with_query(request, **query), tenant_of(self.acme))

    def connect(self) -> None:
        """Give acme the largest connection."""
        uris = [LONGEST_REDIRECT_URI, *(f"{LONGEST_REDIRECT_URI[:-1]}{number}" for number in range(1, 10))]
        self.execute(INSERT_CONNECTION, redirect_uris=uris)

    def connect_saml(self, key: SamlKey) -> None:
        """Make the largest connection one to a SAML provider with the most certificates."""
        self.execute(MAKE_SAML, issuer=SAML_ISSUER, certificates=[key.der] * MAX_CERTIFICATES)

    def brand(self) -> None:
        """Store the largest branding, with two of the largest images."""
        colors = {name: LARGEST_BRANDING[name] for name in (*COLOR_NAMES, "sender_name")}
        variables = json.dumps(LARGEST_BRANDING["css_variables"])
        self.execute(ALLOW_BRANDING)
        self.execute(PROVE_DOMAIN, domain=LONGEST_EMAIL.rpartition("@")[2])
        self.execute(INSERT_BRANDING, **colors, css_variables=variables, sender_address=LONGEST_EMAIL)
        self.execute(INSERT_IMAGE, digest=hashlib.sha256(LARGEST_IMAGE).digest(), content=LARGEST_IMAGE)

    def mail_token(self, status: str, purpose: str, email: str) -> str:
        """Add a member with a one-time token, and return the token."""
        token = generate_token(TokenType.ONE_TIME, self.acme.organization.id)
        values = {"user_id": uuid4(), "token_id": uuid4(), "digest": token.digest}
        self.execute(INSERT_MEMBER, status=status, email=email, **values)
        self.execute(INSERT_ONE_TIME_TOKEN, purpose=purpose, **values)
        return token.text

    def start_session(self) -> str:
        """Start a session of the first member, and return its refresh token."""
        token = generate_token(TokenType.REFRESH, self.acme.organization.id)
        values = {"session_id": uuid4(), "user_id": self.acme.admin_user_id, "digest": token.digest}
        self.execute(INSERT_SESSION, **values)
        self.execute(INSERT_REFRESH_TOKEN, **values)
        return token.text

    def as_operator(self, request: Event, **query: str) -> Event:
        return called_by(with_query(request, **query), OPERATOR)

    def sample_of(self, route: Route, **parameters: str) -> Event:
        """Return a sample of *route*, with the organization and *parameters* in its path."""
        values = {"organization_id": str(self.acme.organization.id), "metric": "ml_predictions", **parameters}
        path = route.path
        for name in route.parameters:
            path = path.replace(f"{{{name}}}", values[name])
        request = with_path(_find_sample(route), path, route.path)
        return {**request, "pathParameters": {name: values[name] for name in route.parameters} or None}


type Build = Callable[[Largest, Route], Iterator[Event]]
CASES: dict[str, Build] = {}


def largest(*routes: str) -> Callable[[Build], Build]:
    """Register the function that fills the stores and yields the requests for the largest answers of *routes*."""

    def register(build: Build) -> Build:
        CASES.update(dict.fromkeys(routes, build))
        return build

    return register


def _find_sample(route: Route) -> Event:
    """Return a sample of *route*, else one of its function with the same method."""
    files = sorted((ROOT / "events" / route.function).glob("*.json"))
    samples = [json.loads(file.read_text()) for file in files]
    same = [each for each in samples if each.get("httpMethod") == route.method]
    exact = [each for each in same if each.get("resource") == route.path]
    return dict((exact or same)[0])


@largest("GET /health", "GET /openapi.json", "GET /console", "GET /console/{file}")
def health(large: Largest, route: Route) -> Iterator[Event]:
    """Each file is in the repository, and has far less than 1 MB."""
    yield large.sample_of(route, file="usage")


@largest("GET /.well-known/jwks.json", "GET /.well-known/openid-configuration")
def token_keys(large: Largest, route: Route) -> Iterator[Event]:
    """Secrets Manager stores at most 64 KiB for the operator."""
    own = VerifyingKeys(keys=tuple(generate_token_key().public for _ in range(MAX_PUBLIC_KEYS)))
    operators = [{**OLD_JWK, "kid": f"{number}" + "k" * 5_000} for number in range(MAX_KEYS)]
    aws_account.put_secret(f"{PREFIX}/{TOKEN_PUBLIC_KEYS}", msgspec.json.encode(own).decode())
    aws_account.put_secret(f"{PREFIX}/{JWKS}", json.dumps({"keys": operators}))
    yield large.sample_of(route)


@largest("POST /auth/token")
def logged_in(large: Largest, route: Route) -> Iterator[Event]:  # noqa: ARG001 - the sample has another member
    large.execute("UPDATE users SET email = %(email)s WHERE organization_id = %(organization_id)s", email=LONGEST_EMAIL)
    yield log_in_request(replace(large.acme, admin_email=LONGEST_EMAIL))


@largest("POST /auth/refresh")
def refreshed(large: Largest, route: Route) -> Iterator[Event]:
    """The access token has the member's address."""
    large.execute("UPDATE users SET email = %(email)s WHERE organization_id = %(organization_id)s", email=LONGEST_EMAIL)
    yield with_body(large.sample_of(route), {"refresh_token": large.start_session()})


@largest("POST /auth/logout")
def logged_out(large: Largest, route: Route) -> Iterator[Event]:
    yield with_body(large.sample_of(route), {"refresh_token": large.start_session()})


@largest("POST /users/accept")
def accepted(large: Largest, route: Route) -> Iterator[Event]:
    """The access token has the member's address."""
    token = large.mail_token("invited", "invitation", LONGEST_EMAIL)
    yield with_body(large.sample_of(route), {"token": token, "password": PASSWORD, "name": LARGE * NAME_MAX_CHARACTERS})


@largest("POST /auth/password-reset")
def requested_reset(large: Largest, route: Route) -> Iterator[Event]:
    yield large.sample_of(route)


@largest("POST /auth/password-reset/confirm")
def confirmed_reset(large: Largest, route: Route) -> Iterator[Event]:
    token = large.mail_token("active", "password_reset", LONGEST_EMAIL)
    yield with_body(large.sample_of(route), {"token": token, "password": PASSWORD})


@largest("GET /me", "PATCH /me", "POST /auth/logout-all")
def own_member(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(
        "UPDATE users SET email = %(email)s, name = repeat(%(large)s, 255) WHERE organization_id = %(organization_id)s",
        email=LONGEST_EMAIL,
        large=LARGE,
    )
    with superuser(large.databases) as conn:
        conn.execute(ENLARGE_ORGANIZATION, (LARGE, large.acme.organization.id))
    request = large.sample_of(route)
    if route.method == "PATCH":
        request = with_body(request, {"name": LARGE * NAME_MAX_CHARACTERS})
    yield called_by(request, member_of(large.acme))


@largest("GET /organizations")
def organizations(large: Largest, route: Route) -> Iterator[Event]:
    overrides = json.dumps(LARGEST_OVERRIDES)
    large.execute(
        INSERT_ORGANIZATIONS,
        letter="o",
        large=LARGE,
        reason=REASON_MAX_CHARACTERS,
        overrides=overrides,
        rows=MAX_PAGE + 1,
    )
    yield large.as_operator(large.sample_of(route), limit=str(MAX_PAGE))


@largest("POST /organizations")
def provisioned(large: Largest, route: Route) -> Iterator[Event]:
    body = {
        "name": LARGE * 255,
        "subdomain": "o" * 63,
        "admin_email": f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 55}.example",
        "admin_password": PASSWORD,
        "tier": "enterprise",
    }
    yield large.as_operator(with_body(large.sample_of(route), body))


@largest("PATCH /organizations/{organization_id}")
def changed(large: Largest, route: Route) -> Iterator[Event]:
    yield large.as_operator(with_body(large.sample_of(route), {"name": LARGE * 255, "overrides": LARGEST_OVERRIDES}))


@largest(
    "GET /organizations/{organization_id}",
    "GET /organizations/{organization_id}/audit/verify",
    "GET /organizations/{organization_id}/held-events",
    "POST /organizations/{organization_id}/held-events/release",
)
def one_organization(large: Largest, route: Route) -> Iterator[Event]:
    with superuser(large.databases) as conn:
        conn.execute(ENLARGE_ORGANIZATION, (LARGE, large.acme.organization.id))
    yield large.as_operator(large.sample_of(route))


@largest("DELETE /organizations/{organization_id}")
def deletion(large: Largest, route: Route) -> Iterator[Event]:
    yield large.as_operator(with_body(large.sample_of(route), {"reason": LARGE * REASON_MAX_CHARACTERS}))


@largest("POST /organizations/{organization_id}/restore")
def restored(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(
        "UPDATE organizations SET status = 'deleted', deleted_at = now(), purge_at = now() + interval '1 day', "
        "status_before_deletion = 'active' WHERE id = %(organization_id)s"
    )
    yield from one_organization(large, route)


@largest("GET /organizations/{organization_id}/deletion-certificate")
def certificate(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_CERTIFICATES, rows=200)
    yield large.as_operator(large.sample_of(route))


@largest("GET /organizations/{organization_id}/dead-letters")
def dead_letters(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_LETTERS, rows=MAX_PAGE + 1, samples=MAX_SHOWN_SAMPLES + 1, bytes=2**31 - 1)
    yield large.as_operator(large.sample_of(route), limit=str(MAX_PAGE))


@largest("POST /organizations/{organization_id}/dead-letters/redrive")
def redriven(large: Largest, route: Route) -> Iterator[Event]:
    yield large.as_operator(large.sample_of(route))


@largest("GET /organizations/current")
def own_organization(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(ENLARGE_OVERRIDES, overrides=json.dumps(LARGEST_OVERRIDES))
    with superuser(large.databases) as conn:
        conn.execute(ENLARGE_ORGANIZATION, (LARGE, large.acme.organization.id))
    yield large.as_tenant(large.sample_of(route))


@largest("GET /usage")
def own_usage(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_DAYS, rows=MAX_DAYS + 1)
    yield large.as_tenant(large.sample_of(route), from_="2000-01-01", to="2100-01-01", limit=str(MAX_DAYS))


@largest("GET /organizations/{organization_id}/usage")
def usage_for_operator(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_DAYS, rows=MAX_DAYS + 1)
    yield large.as_operator(large.sample_of(route), from_="2000-01-01", to="2100-01-01", limit=str(MAX_DAYS))


@largest("GET /stats")
def own_statistics(large: Largest, route: Route) -> Iterator[Event]:
    yield from statistics(large, route, large.as_tenant)


@largest("GET /organizations/{organization_id}/stats")
def statistics_for_operator(large: Largest, route: Route) -> Iterator[Event]:
    yield from statistics(large, route, large.as_operator)


def statistics(large: Largest, route: Route, called: Callable[..., Event]) -> Iterator[Event]:
    large.databases.clickhouse.command(
        INSERT_EVENTS,
        parameters={
            "organization_id": str(large.acme.organization.id),
            "large": LARGE,
            "type": TYPE_MAX_CHARACTERS,
            "name": NAME_MAX_CHARACTERS,
            "groups": MAX_GROUPS + 1,
            "at": datetime.now(UTC),
            "currencies": sorted(CURRENCIES)[:CURRENCIES_OF_A_GROUP],
        },
    )
    today = datetime.now(UTC).date()
    period = {"from_": (today - timedelta(days=1)).isoformat(), "to": (today + timedelta(days=2)).isoformat()}
    groups = "day,event_type,event_name,platform,app_id"
    for order, zone in (("key", UTC_ZONE), ("revenue", UTC_ZONE), ("revenue", LONGEST_ZONE)):
        query = {"group_by": groups, "order_by": order, "timezone": zone, "limit": str(MAX_GROUPS), **period}
        yield called(large.sample_of(route), **query)


@largest("GET /events")
def listed_events(large: Largest, route: Route) -> Iterator[Event]:
    moment = datetime.now(UTC) - timedelta(minutes=1)
    large.databases.clickhouse.command(
        INSERT_LARGE_EVENTS,
        parameters={
            "organization_id": str(large.acme.organization.id),
            "large": LARGE,
            "escaped": "\x7f",  # takes most bytes in the answer, see MOST_ESCAPED
            "characters": MAX_EVENT_BYTES,
            "type": TYPE_MAX_CHARACTERS,
            "name": NAME_MAX_CHARACTERS,
            "at": moment,
            "rows": MAX_PAGE + 1,
        },
    )
    for order in EventOrder:
        yield large.as_tenant(large.sample_of(route), order=order, limit=str(MAX_PAGE))


@largest("POST /events/trace")
def traced_events(large: Largest, route: Route) -> Iterator[Event]:
    name = "\x7f" * NAME_MAX_CHARACTERS
    ids = [{"event_id": name, "device_id": name}] * MAX_TRACED_IDS
    body = json.dumps({"ids": ids}, ensure_ascii=False).replace("\\u007f", "\x7f")
    yield with_body(large.as_tenant(large.sample_of(route)), body.encode())


@largest("POST /usage/{metric}")
def report(large: Largest, route: Route) -> Iterator[Event]:
    request = with_headers(large.sample_of(route), idempotency_key="k" * 255)
    for _ in range(2):  # the answer, and its replay
        yield large.as_tenant(with_body(request, {"amount": 10_000}))


@largest("POST /usage/{metric}/reservations")
def reservation(large: Largest, route: Route) -> Iterator[Event]:
    yield large.as_tenant(with_body(large.sample_of(route), {"amount": 1, "ttl_seconds": 86_400}))


@largest("POST /usage/{metric}/reservations/{reservation_id}/commit")
def commit(large: Largest, route: Route) -> Iterator[Event]:
    yield large.as_tenant(with_body(large.sample_of(route, reservation_id=_reserved(large)), {"amount": 1}))


@largest("DELETE /usage/{metric}/reservations/{reservation_id}")
def release(large: Largest, route: Route) -> Iterator[Event]:
    request = {**large.sample_of(route, reservation_id=_reserved(large)), "body": None}
    yield large.as_tenant(request)


def _reserved(large: Largest) -> str:
    """Insert an open reservation and return its id."""
    [(reservation_id,)] = large.execute(
        "INSERT INTO usage_reservations (id, organization_id, metric, amount, expires_at) "
        "VALUES (gen_random_uuid(), %(organization_id)s, 'ml_predictions', 10, now() + interval '1 hour') RETURNING id"
    )
    return str(reservation_id)


@largest("GET /audit")
def own_audit(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_ENTRIES, rows=PAGE_SIZES["csv"] + 1)
    for format_, rows in PAGE_SIZES.items():
        yield large.as_tenant(large.sample_of(route), format=format_, limit=str(rows))


@largest("GET /organizations/{organization_id}/audit")
def audit_for_operator(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_ENTRIES, rows=PAGE_SIZES["csv"] + 1)
    for format_, rows in PAGE_SIZES.items():
        yield large.as_operator(large.sample_of(route), format=format_, limit=str(rows))


@largest("GET /audit/verify")
def own_verification(large: Largest, route: Route) -> Iterator[Event]:
    yield large.as_tenant(large.sample_of(route))


@largest("GET /organizations/{organization_id}/compliance/report")
def own_compliance(large: Largest, route: Route) -> Iterator[Event]:
    _fill_reports(large)
    for format_ in ("json", "html"):
        yield large.as_tenant(large.sample_of(route), format=format_)


@largest("GET /compliance/report")
def compliance_of_the_platform(large: Largest, route: Route) -> Iterator[Event]:
    _fill_reports(large)
    values = {"letter": "p", "large": LARGE, "reason": REASON_MAX_CHARACTERS, "overrides": "{}"}
    large.execute(INSERT_ORGANIZATIONS, **values, rows=MAX_SHOWN + 1)
    for format_ in ("json", "html"):
        yield large.as_operator(large.sample_of(route), format=format_)


def _fill_reports(large: Largest) -> None:
    """Insert more entries of each kind, more erasures and more keys than a report shows."""
    for action in ("export.requested", "GET /v1/organizations/{organization_id}/audit/verify"):
        large.execute(INSERT_ACCESSES, action=action, rows=MAX_SHOWN + 1)
    large.execute(INSERT_ERASURES, rows=MAX_SHOWN + 1)
    large.execute(INSERT_OLD_KEYS, rows=MAX_SHOWN + 1)


@largest("GET /exports")
def exports(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_EXPORTS, rows=MAX_PAGE + 1)
    yield large.as_tenant(large.sample_of(route), limit=str(MAX_PAGE))


@largest("POST /exports")
def new_export(large: Largest, route: Route) -> Iterator[Event]:
    for _ in range(2):  # the second one shows the pending export
        yield large.as_tenant(large.sample_of(route))


@largest("GET /exports/{export_id}")
def one_export(large: Largest, route: Route) -> Iterator[Event]:
    [(export_id,)] = large.execute(f"{INSERT_EXPORTS} RETURNING id", rows=1)
    large.execute(INSERT_FILES, rows=5_000, export_id=export_id, folder=export_folder(export_id, 2**31 - 1))
    yield large.as_tenant(large.sample_of(route, export_id=str(export_id)), limit=str(MAX_PAGE))


@largest("GET /erasures")
def erasures(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_ERASURES, rows=MAX_PAGE + 1)
    yield large.as_tenant(large.sample_of(route), limit=str(MAX_PAGE))


@largest("POST /erasures")
def new_erasure(large: Largest, route: Route) -> Iterator[Event]:
    yield large.as_tenant(with_body(large.sample_of(route), {"device_id": LARGE * 255}))


@largest("GET /erasures/{erasure_id}")
def one_erasure(large: Largest, route: Route) -> Iterator[Event]:
    [(erasure_id,)] = large.execute(f"{INSERT_ERASURES} RETURNING id", rows=1)
    yield large.as_tenant(large.sample_of(route, erasure_id=str(erasure_id)))


@largest("GET /apps")
def apps(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_APPS, large=LARGE, rows=MAX_PAGE + 1)
    yield large.as_tenant(large.sample_of(route), limit=str(MAX_PAGE))


@largest("POST /apps")
def new_app(large: Largest, route: Route) -> Iterator[Event]:
    request = with_headers(large.sample_of(route), idempotency_key="k" * 255)
    for _ in range(2):  # the answer, and its replay
        yield large.as_tenant(with_body(request, {"name": LARGE * 255, "platform": LARGE * 100}))


@largest("PATCH /apps/{app_id}", "DELETE /apps/{app_id}")
def one_app(large: Largest, route: Route) -> Iterator[Event]:
    request = large.sample_of(route, app_id=str(large.acme.app_id))
    body = {"name": LARGE * 255, "platform": LARGE * 100}
    yield large.as_tenant(with_body(request, body) if route.method == "PATCH" else {**request, "body": None})


@largest("GET /sso", "PUT /sso", "DELETE /sso")
def sso_connection(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(ALLOW_SSO)
    large.connect()
    request = large.sample_of(route)
    if route.method == "PUT":
        body = {
            "type": "oidc",
            "issuer": large.issuer,
            "client_id": "c" * 255,
            "client_secret": "s" * 1_000,
            "default_role": "super_admin",
            "required": False,
            "redirect_uris": [f"{LONGEST_REDIRECT_URI[:-1]}{number}" for number in range(MAX_REDIRECT_URIS)],
        }
        request = with_body(request, body)
    yield large.as_tenant(request)
    if route.method == "GET":
        large.connect_saml(SamlKey.generate())
        yield large.as_tenant(request)


@largest("GET /branding", "GET /branding/settings", "PUT /branding")
def branding(large: Largest, route: Route) -> Iterator[Event]:
    large.brand()
    request = large.sample_of(route)
    if route.method == "PUT":
        yield large.as_tenant(with_body(request, {**LARGEST_BRANDING, "sender_address": LONGEST_EMAIL}))
    elif route.path == "/branding":
        yield with_query(request, organization=large.acme.organization.subdomain)
    else:
        yield large.as_tenant(request)


@largest("GET /branding/images/{organization_id}/{digest}")
def brand_image(large: Largest, route: Route) -> Iterator[Event]:
    large.brand()
    yield large.sample_of(route, digest=hashlib.sha256(LARGEST_IMAGE).hexdigest())


@largest("GET /auth/sso/start")
def started_log_in(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(ALLOW_SSO)
    large.connect()
    subdomain = large.acme.organization.subdomain
    query = {"organization": subdomain, "redirect_uri": LONGEST_REDIRECT_URI, "email": LONGEST_EMAIL}
    yield with_query(large.sample_of(route), **query)
    large.connect_saml(SamlKey.generate())
    yield with_query(large.sample_of(route), **query)


@largest("GET /auth/sso/callback/{organization_id}")
def finished_log_in(large: Largest, route: Route) -> Iterator[Event]:
    """The longest URL that a log-in redirects the browser to."""
    large.execute(ALLOW_SSO)
    state, secret = generate_token(TokenType.SSO_STATE, large.acme.organization.id), BrowserSecret.generate()
    large.connect()
    large.execute(INSERT_LOG_IN, state=state.digest, browser=secret.digest, redirect_uri=LONGEST_REDIRECT_URI)
    cookie = f"__Host-sso_{state.digest.hex()[:16]}={secret.text}"
    request = with_query(large.sample_of(route), state=state.text, error="access_denied")
    yield with_headers(request, cookie=cookie)


@largest("POST /auth/sso/acs")
def taken_answer(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(ALLOW_SSO)
    organization_id, key = large.acme.organization.id, SamlKey.generate()
    state, secret = generate_token(TokenType.SSO_STATE, organization_id), BrowserSecret.generate()
    large.connect()
    large.connect_saml(key)
    large.execute(INSERT_LOG_IN, state=state.digest, browser=secret.digest, redirect_uri=LONGEST_REDIRECT_URI)
    yield with_body(large.sample_of(route), answer_form(key, state, issuer=SAML_ISSUER))


@largest("GET /auth/sso/finish")
def finished_saml_log_in(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(ALLOW_SSO)
    organization_id = large.acme.organization.id
    token, secret = generate_token(TokenType.SSO_FINISH, organization_id), BrowserSecret.generate()
    state_digest = generate_token(TokenType.SSO_STATE, organization_id).digest
    identity = ProvenIdentity(issuer=SAML_ISSUER, subject="s" * 255, email=LONGEST_EMAIL)
    encrypted = encrypt_identity(identity, token, state_digest)
    large.connect()
    large.execute(PROVE_DOMAIN, domain=LONGEST_EMAIL.rpartition("@")[2])
    large.execute(INSERT_LOG_IN, state=state_digest, browser=secret.digest, redirect_uri=LONGEST_REDIRECT_URI)
    large.execute(HAND_OVER, finish=token.digest, encrypted=encrypted)
    cookie = f"__Host-sso_{state_digest.hex()[:16]}={secret.text}"
    yield with_headers(with_query(large.sample_of(route), token=token.text), cookie=cookie)


@largest("GET /auth/sso/metadata")
def service_metadata(large: Largest, route: Route) -> Iterator[Event]:
    yield with_query(large.sample_of(route), organization=str(large.acme.organization.id))


@largest("POST /auth/sso/token")
def exchanged_code(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(ALLOW_SSO)
    large.execute("UPDATE users SET email = %(email)s WHERE organization_id = %(organization_id)s", email=LONGEST_EMAIL)
    code = generate_token(TokenType.SSO_CODE, large.acme.organization.id)
    large.connect()
    large.execute(INSERT_PROVEN_LOG_IN, code=code.digest, user_id=large.acme.admin_user_id)
    yield with_body(large.sample_of(route), {"code": code.text})


@largest("GET /domains")
def custom_domains(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_CUSTOM_DOMAINS, rows=MAX_PAGE + 1)
    yield large.as_tenant(large.sample_of(route), limit=str(MAX_PAGE))


@largest("POST /domains", "GET /domains/{domain}", "POST /domains/{domain}/verify", "DELETE /domains/{domain}")
def one_custom_domain(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(ALLOW_WHITE_LABEL)
    if route.parameters:
        [(domain,)] = large.execute(f"{INSERT_CUSTOM_DOMAINS} RETURNING domain", rows=1)
        yield large.as_tenant(large.sample_of(route, domain=domain))
    else:
        yield large.as_tenant(with_body(large.sample_of(route), {"domain": f"{'a' * 51}.acme.example"}))


@largest("GET /sso/email-domains")
def email_domains(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(ALLOW_SSO)
    large.execute(INSERT_EMAIL_DOMAINS, rows=MAX_PAGE + 1)
    yield large.as_tenant(large.sample_of(route), limit=str(MAX_PAGE))


@largest("POST /sso/email-domains", "POST /sso/email-domains/{domain}/verify", "DELETE /sso/email-domains/{domain}")
def one_email_domain(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(ALLOW_SSO)
    if route.parameters:
        [(domain,)] = large.execute(f"{INSERT_EMAIL_DOMAINS} RETURNING domain", rows=1)
        yield large.as_tenant(large.sample_of(route, domain=domain))
    else:
        yield large.as_tenant(with_body(large.sample_of(route), {"domain": LONGEST_DOMAIN}))


@largest("GET /keys", "GET /organizations/{organization_id}/keys")
def keys(large: Largest, route: Route) -> Iterator[Event]:
    _insert_keys(large, rows=MAX_PAGE + 1)
    called = large.as_operator if "organization_id" in route.parameters else large.as_tenant
    yield called(large.sample_of(route), limit=str(MAX_PAGE))


@largest("POST /keys")
def new_key(large: Largest, route: Route) -> Iterator[Event]:
    body = {
        "type": "secret",
        "name": LARGE * 255,
        "app_id": str(large.acme.app_id),
        "scopes": sorted(PERMISSIONS),
        "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    }
    request = with_headers(large.sample_of(route), idempotency_key="k" * 255)
    for _ in range(2):  # the answer, and its replay
        yield large.as_tenant(with_body(request, body))


@largest("POST /keys/{key_id}/rotate")
def rotated_key(large: Largest, route: Route) -> Iterator[Event]:
    key_id = _insert_keys(large, rows=1)
    large.execute("UPDATE api_keys SET replaced_by = NULL")
    request = with_headers(large.sample_of(route, key_id=key_id), idempotency_key="k" * 255)
    for _ in range(2):  # the answer, and its replay
        yield large.as_tenant(with_body(request, {"overlap_seconds": 604_800}))


@largest("DELETE /keys/{key_id}", "DELETE /organizations/{organization_id}/keys/{key_id}")
def revoked_key(large: Largest, route: Route) -> Iterator[Event]:
    called = large.as_operator if "organization_id" in route.parameters else large.as_tenant
    yield called({**large.sample_of(route, key_id=str(large.acme.write_key_id)), "body": None})


def _insert_keys(large: Largest, *, rows: int) -> str:
    """Insert large keys, and return the id of one."""
    values = {"app_id": large.acme.app_id, "scopes": sorted(PERMISSIONS), "large": LARGE}
    return str(large.execute(f"{INSERT_KEYS} RETURNING id", rows=rows, **values)[0][0])


@largest("PATCH /organizations/current")
def changed_own_organization(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(ENLARGE_OVERRIDES, overrides=json.dumps(LARGEST_OVERRIDES))
    with superuser(large.databases) as conn:
        conn.execute(ENLARGE_ORGANIZATION, (LARGE, large.acme.organization.id))
    yield large.as_tenant(with_body(large.sample_of(route), {"key_rotation_days": 3_650}))


@largest("GET /platform-keys")
def platform_keys(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_PLATFORM_KEYS, large=LARGE, rows=MAX_PAGE + 1)
    yield large.as_operator(large.sample_of(route), limit=str(MAX_PAGE))


@largest("POST /platform-keys")
def new_platform_key(large: Largest, route: Route) -> Iterator[Event]:
    yield large.as_operator(with_body(large.sample_of(route), {"name": LARGE * 255}))


@largest("POST /platform-keys/{platform_key_id}/rotate", "DELETE /platform-keys/{platform_key_id}")
def one_platform_key(large: Largest, route: Route) -> Iterator[Event]:
    [(key_id,)] = large.execute(f"{INSERT_PLATFORM_KEYS} RETURNING id", large=LARGE, rows=1)
    large.execute("UPDATE platform_keys SET replaced_by = NULL")
    request = large.sample_of(route, platform_key_id=str(key_id))
    yield large.as_operator(with_body(request, {}) if route.method == "POST" else {**request, "body": None})


@largest("GET /users")
def own_members(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_USERS, large=LARGE, rows=MAX_PAGE + 1)
    yield large.as_tenant(large.sample_of(route), limit=str(MAX_PAGE))


@largest("GET /organizations/{organization_id}/users")
def members_for_operator(large: Largest, route: Route) -> Iterator[Event]:
    large.execute(INSERT_USERS, large=LARGE, rows=MAX_PAGE + 1)
    yield large.as_operator(large.sample_of(route), limit=str(MAX_PAGE))


@largest("POST /users")
def new_member(large: Largest, route: Route) -> Iterator[Event]:
    yield large.as_tenant(with_body(large.sample_of(route), {"email": LONGEST_EMAIL, "role": "super_admin"}))


@largest("PATCH /users/{user_id}", "DELETE /users/{user_id}", "POST /users/{user_id}/invitation")
def one_member(large: Largest, route: Route) -> Iterator[Event]:
    [(user_id,)] = large.execute(f"{INSERT_USERS} RETURNING id", large=LARGE, rows=1)
    request = large.sample_of(route, user_id=str(user_id))
    yield large.as_tenant(with_body(request, {"role": "super_admin"}) if route.method == "PATCH" else request)


@largest(
    "DELETE /organizations/{organization_id}/users/{user_id}",
    "POST /organizations/{organization_id}/users/{user_id}/invitation",
)
def one_member_for_operator(large: Largest, route: Route) -> Iterator[Event]:
    [(user_id,)] = large.execute(f"{INSERT_USERS} RETURNING id", large=LARGE, rows=1)
    yield large.as_operator(large.sample_of(route, user_id=str(user_id)))


@largest("POST /events")
def events(large: Largest, route: Route) -> Iterator[Event]:
    """Send events that are rejected with long ids, and events that are rejected for several fields."""
    for rejected in ({"event_id": "\1" * 255}, {"event_id": LARGE * 255}, {}):
        body = {"events": [recent_event(1), *(dict(rejected) for _ in range(MAX_EVENTS - 1))]}
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        yield large.as_tenant(with_body(large.sample_of(route), text))


@largest("POST /cloudevents")
def cloud_events(large: Largest, route: Route) -> Iterator[Event]:
    """Send CloudEvents whose rejections have long ids or several errors."""
    for rejected in ({"source": "\1", "id": "\1" * 40}, {"source": LARGE, "id": LARGE * 247}, {}):
        body = [cloud_event(1), *(dict(rejected) for _ in range(MAX_EVENTS - 1))]
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        yield large.as_tenant(with_body(large.sample_of(route), text))


@largest("POST /api/v1/events")
def openmeter_events(large: Largest, route: Route) -> Iterator[Event]:
    yield large.as_tenant(with_body(large.sample_of(route), [cloud_event(1)]))


BATCH_ROUTES = ("/batch", "/b", "/import")
CALL_ROUTES = ("/track", "/t", "/identify", "/i", "/page", "/p", "/screen", "/s", "/group", "/g", "/alias", "/a")


@largest(*(f"POST {path}" for path in BATCH_ROUTES))
def segment_batch(large: Largest, route: Route) -> Iterator[Event]:
    calls: list[Mapping[str, object]] = [segment_call(1), *({"type": "unknown"} for _ in range(MAX_EVENTS - 1))]
    request = with_path(sample("ingest", "segment_batch"), route.path)
    yield with_basic_auth(with_body(request, {"batch": calls}), large.acme.write_key)


@largest(*(f"POST {path}" for path in CALL_ROUTES))
def segment_single(large: Largest, route: Route) -> Iterator[Event]:
    request = with_path(sample("ingest", "segment_call"), route.path)
    yield with_basic_auth(with_body(request, segment_call(1)), large.acme.write_key)


@largest("GET /projects/{writeKey}/settings")
def settings(large: Largest, route: Route) -> Iterator[Event]:
    yield large.sample_of(route, writeKey=large.acme.write_key.text)
