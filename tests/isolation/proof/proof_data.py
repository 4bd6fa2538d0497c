"""Three organizations with members of every role and credentials of every kind."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

import jwt
import psycopg
import pytest
from pydantic import SecretStr

from tenancy.gateway.cookies import HOST_PREFIX
from tenancy.rules.keys.api_keys import ApiKey, KeyType, generate_key
from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.people.password_hashes import HASHER
from tenancy.rules.permissions import EVENTS_WRITE, PERMISSIONS, ROLES
from tenancy.rules.saml.encrypted_identity import encrypt_identity
from tenancy.rules.sso.id_token import ProvenIdentity
from tenancy.rules.sso.log_in import BrowserSecret
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.api_keys import insert_api_key
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tests.custom_domains import activate_domain
from tests.given import CHEAP_HASHER, OPERATOR, PASSWORD, ROOT, Databases
from tests.handlers.functions import ISSUER, superuser
from tests.isolation.proof.canaries import Canaries, plant_canaries
from tests.isolation.proof.discovery.tables import Table, discover_tables
from tests.saml_provider import SigningKey, answer_form

TIERS = {"acme": Tier.STARTER, "globex": Tier.GROWTH, "initech": Tier.ENTERPRISE}
VALID_EPOCH, REVOKED_EPOCH = "0.0", "0.1"
TOKEN_LIFETIME = timedelta(days=1)  # longer than the slowest run of the proof
ADMIN_ROLE = "super_admin"
OPERATOR_KIND, ANONYMOUS_KIND = "operator", "anonymous"
INSERT_USER = "INSERT INTO users (id, organization_id, email, role) VALUES (%s, %s, %s, %s)"
SESSION_EMAIL = "session@x.example"
# The samples with a one-time token, and the members that it belongs to: their role, status and the token's purpose.
SAMPLES_WITH_TOKENS = {
    "accept": ("accepting@x.example", "invited", "invitation"),
    "confirm_reset": ("resetting@x.example", "active", "password_reset"),
}
INSERT_MEMBER = "INSERT INTO users (id, organization_id, email, role, status) VALUES (%s, %s, %s, 'analyst', %s)"
SET_PASSWORD = "UPDATE users SET password_hash = %s WHERE id = %s"
INSERT_ONE_TIME_TOKEN = """
    INSERT INTO one_time_tokens (organization_id, id, user_id, purpose, digest, created_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, now(), now() + interval '1 day')
"""
INSERT_SESSION = """
    INSERT INTO sessions (organization_id, id, user_id, organization_epoch, created_at, refreshed_at, expires_at)
    VALUES (%s, %s, %s, 0, now(), now(), now() + interval '30 days')
"""
INSERT_REFRESH_TOKEN = """
    INSERT INTO refresh_tokens (organization_id, digest, session_id, created_at) VALUES (%s, %s, %s, now())
"""
# A member without a credential, which calls may change and remove.
INSERT_INVITED = """
    INSERT INTO users (id, organization_id, email, role, status)
    VALUES (%s, %s, 'invited@x.example', 'viewer', 'invited')
"""
LIFT_LIMIT_OF_USERS = (
    'UPDATE organizations SET overrides = overrides || \'{"users": "unlimited", "sso": true, "white_label": true}\''
)
# The planted connection can log members in, back to the address of the sample.
MAKE_CONNECTION_USABLE = """
    UPDATE sso_connections SET required = false, names_issuer = false, ended_at = NULL, encrypted_secret = %s,
        redirect_uris = ARRAY['https://app.acme.example/signed-in'], certificates = %s, discovered_at = now()
    WHERE organization_id = %s
    RETURNING id, issuer
"""
SAML_KEY = SigningKey.generate()
SAML_SUBJECT = "known-at-the-provider"
HANDED_OVER_STATE = hashlib.sha256(b"a state that was used").digest()
INSERT_HANDED_OVER = """
    INSERT INTO sso_log_ins (
        organization_id, state_digest, browser_digest, connection_id, redirect_uri, started_at, expires_at, used_at,
        finish_digest, sealed_identity
    )
    VALUES (
        %s, %s, %s, %s, 'https://app.acme.example/signed-in', now(), now() + interval '1 day', now(), %s, %s
    )
"""
INSERT_SAML_IDENTITY = """
    INSERT INTO sso_identities (organization_id, id, user_id, type, issuer, realm_id, subject, created_at)
    SELECT u.organization_id, gen_random_uuid(), u.id, c.type, c.issuer,
           CASE WHEN c.type = 'saml' THEN c.realm_id END, %s, now()
    FROM users AS u JOIN sso_connections AS c ON c.organization_id = u.organization_id
    WHERE u.organization_id = %s AND u.email = %s
"""
INSERT_SSO_LOG_IN = """
    INSERT INTO sso_log_ins (
        organization_id, state_digest, browser_digest, connection_id, redirect_uri, started_at, expires_at, user_id,
        code_digest
    )
    SELECT %s, %s, %s, %s, 'https://app.acme.example/signed-in', now(), now() + interval '1 day', u.id, %s
    FROM users AS u WHERE u.organization_id = %s AND u.email = %s
"""
INVALIDATE_KEY = {
    "revoked": "UPDATE api_keys SET revoked_at = now() WHERE digest = %s",
    "expired": "UPDATE api_keys SET expires_at = now() - interval '1 minute' WHERE digest = %s",
}


MANAGED_TABLES = ("api_keys", "apps")
MAKE_ROTATABLE = """
    UPDATE api_keys AS k SET expires_at = NULL, revoked_at = NULL, replaced_by = NULL, app_id = a.id
    FROM apps AS a
    WHERE a.organization_id = k.organization_id AND k.id::text <> ALL (%(used)s) AND a.id::text <> ALL (%(used)s)
"""
SAMPLE_PLATFORM_KEY = json.loads((ROOT / "events/keys/rotate_platform_key.json").read_text())["pathParameters"][
    "platform_key_id"
]
# The planted image has the digest of the sample, and its content is a canary.
SAMPLE_IMAGE = json.loads((ROOT / "events/branding/show_image.json").read_text())["pathParameters"]["digest"]
NAME_IMAGE = """
    UPDATE branding_images SET digest = decode(%s, 'hex'), content = convert_to(%s, 'UTF8'), removed_at = NULL
    WHERE organization_id = %s
"""
# Planted apps use the places of the smallest tier.
ADD_ROOM = 'UPDATE organizations SET overrides = overrides || \'{"apps": 100, "sso": true, "white_label": true}\''
# A claim without a proof: no server of the tests answers with its record.
INSERT_EMAIL_DOMAIN = """
    INSERT INTO email_domains (organization_id, domain, id, token, created_at) VALUES (%s, %s, %s, %s, now())
"""
INSERT_CUSTOM_DOMAIN = """
    INSERT INTO custom_domains (organization_id, domain, id, token, created_at) VALUES (%s, %s, %s, %s, now())
"""
INSERT_PLATFORM_KEY = "INSERT INTO platform_keys (id, name, digest) VALUES (%s, 'Sample', %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A credential to call with.

    *owner* is None for the operator's, and for calls without a credential.
    """

    kind: str
    owner: UUID | None
    authorization: str | None
    key: ApiKey | None = None
    is_valid: bool = True

    @property
    def is_operator(self) -> bool:
        return self.owner is None and self.authorization is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofOrganization:
    """An organization, and the identifiers by which a request can name it.

    *row_ids* has the id of one row for each table, *cursors* the next page of its own lists by call. The member with
    *email* logs in with `PASSWORD`, and has a session with *refresh_token*. *one_time_tokens* has its own
    token, state or code in place of each one of a sample. *sso_cookie* is that of the browser that began the log-in
    with the state. *saml_texts* are its own answer of a SAML provider and RelayState in place of those of the sample.
    *issuer* is a provider that may be connected. *domain* is an e-mail domain that it claims. It answers at
    *custom_host*, an active custom domain.
    """

    name: str
    organization_id: UUID
    subdomain: str
    gateway_key: str
    row_ids: Mapping[str, str]
    write_key: ApiKey
    email: str = ""
    refresh_token: str = ""
    one_time_tokens: Mapping[str, str] = field(default_factory=dict)
    sso_cookie: str = ""
    saml_texts: Mapping[str, str] = field(default_factory=dict)
    issuer: str = ""
    domain: str = "unknown.example"
    custom_host: str = ""
    cursors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoSetting:
    """The *issuer* of a provider that organizations may connect, and the key that encrypts their client secrets."""

    issuer: str
    encryptor: Encryptor


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofData:
    """The organizations with their credentials and canaries.

    *owners* has the organization of each row, by the row's id.
    """

    organizations: tuple[ProofOrganization, ...]
    credentials: tuple[Credential, ...]
    canaries: Canaries
    owners: Mapping[str, UUID]

    def credentials_of(self, organization_id: UUID | None) -> tuple[Credential, ...]:
        return tuple(credential for credential in self.credentials if credential.owner == organization_id)

    def credential(self, kind: str, organization_id: UUID | None) -> Credential:
        return next(each for each in self.credentials_of(organization_id) if each.kind == kind)


@cache
def hashed_password() -> str:
    """Return a hash of the password of all members that log in. To make it takes much processor time on purpose."""
    return HASHER.hash(PASSWORD)


def create_proof_data(databases: Databases, targets: OutboxTargets, operator_key: ApiKey, sso: SsoSetting) -> ProofData:
    """Provision the organizations through the use case, and plant their canaries."""
    canaries = Canaries()
    operator = Credential(kind=OPERATOR_KIND, owner=None, authorization=f"Bearer {operator_key.text}", key=operator_key)
    credentials = [Credential(kind=ANONYMOUS_KIND, owner=None, authorization=None), operator]
    names, write_keys = {}, {}
    for name, tier in TIERS.items():
        provisioned = _provision(databases, targets, canaries, tier)
        organization_id = provisioned.organization.id
        names[organization_id] = name
        write_keys[organization_id] = provisioned.write_key
        credentials += _create_credentials(databases, provisioned)
    run_due_entries(databases.platform, targets, now=datetime.now(UTC))  # send the mail, as the sweep does
    used = _ids_of(databases, MANAGED_TABLES)
    plant_canaries(databases, canaries, list(names))
    _make_usable(databases, used, canaries, names)
    refresh_tokens = {each: _add_session(databases, each) for each in names}
    one_time_tokens = {each: _add_one_time_tokens(databases, each) for each in names}
    log_ins = {each: _add_sso_log_ins(databases, each, sso) for each in names}
    with superuser(databases) as conn:
        conn.execute(LIFT_LIMIT_OF_USERS)
        tables = [table for table in discover_tables(conn) if _has_uuid(table)]
    return ProofData(
        organizations=tuple(
            replace(
                _organization(databases, each, names[each], write_keys[each], used, tables),
                email=SESSION_EMAIL,
                refresh_token=refresh_tokens[each],
                one_time_tokens={**one_time_tokens[each], **log_ins[each].tokens},
                sso_cookie=log_ins[each].cookie,
                saml_texts=log_ins[each].saml_texts,
                issuer=sso.issuer,
                domain=_claim_domain(databases, each, f"{names[each]}-of-the-proof.example"),
                custom_host=activate_domain(databases, each, f"track.{names[each]}-of-the-proof.example"),
            )
            for each in names
        ),
        credentials=tuple(credentials),
        canaries=canaries,
        owners=_owners(databases, tables),
    )


def unknown_organization(known: ProofOrganization) -> ProofOrganization:
    """Return an organization that does not exist, with ids for the same tables as *known*."""
    return ProofOrganization(
        name="unknown",
        organization_id=UUID("0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"),
        subdomain="unknown-0f0f0f0f0f0f0f0f",
        gateway_key="",
        row_ids={table: str(UUID(int=number + 1, version=4)) for number, table in enumerate(sorted(known.row_ids))},
        write_key=generate_key(KeyType.WRITE),
    )


def _provision(databases: Databases, targets: OutboxTargets, canaries: Canaries, tier: Tier) -> Provisioned:
    """Provision an organization whose name, subdomain and address are canaries."""
    name, subdomain, address = (canaries.create(None, f"mail {part}") for part in ("name", "subdomain", "address"))
    new = NewOrganization(
        name=name,
        subdomain=subdomain,
        admin_email=f"{address}@x.example",
        admin_password=SecretStr(PASSWORD),
        tier=tier,
    )
    with pytest.MonkeyPatch.context() as patch:  # its administrator never logs in
        patch.setattr("tenancy.use_cases.organizations.provision.HASHER", CHEAP_HASHER)
        provisioned = provision_organization(databases.platform, targets, new, OPERATOR, now=datetime.now(UTC))
    for canary in (name, subdomain, address):
        canaries.assign(canary, provisioned.organization.id)
    return provisioned


def _create_credentials(databases: Databases, provisioned: Provisioned) -> list[Credential]:
    """Return tokens of every role, API keys of every type, and invalid ones of both."""
    organization_id, admin_id = provisioned.organization.id, provisioned.admin_user_id
    members = {ADMIN_ROLE: admin_id} | {role: uuid4() for role in ROLES if role != ADMIN_ROLE}
    with superuser(databases) as conn:
        for role, user_id in members.items():
            if role != ADMIN_ROLE:
                conn.execute(INSERT_USER, (user_id, organization_id, f"{role}@x.example", role))
        conn.execute(INSERT_INVITED, (uuid4(), organization_id))
    keys = {"write key": provisioned.write_key, "secret key": provisioned.secret_key}
    keys |= _insert_keys(databases, organization_id, provisioned.app_id)
    tokens = _Tokens(databases.servers.credentials.signing_key, organization_id)
    return [
        *(tokens.sign(role, user_id) for role, user_id in members.items()),
        tokens.sign(ADMIN_ROLE, admin_id, invalid="revoked token", epoch=REVOKED_EPOCH),
        tokens.sign(ADMIN_ROLE, admin_id, invalid="expired token", issued_before=2 * TOKEN_LIFETIME),
        *(_key_credential(organization_id, kind, key) for kind, key in keys.items()),
    ]


def _add_one_time_tokens(databases: Databases, organization_id: UUID) -> dict[str, str]:
    """Add members with a one-time token each.

    Return the tokens by the text in the sample that they replace.
    """
    tokens = {}
    with superuser(databases) as conn:
        for name, (email, status, purpose) in SAMPLES_WITH_TOKENS.items():
            user_id, token = uuid4(), generate_token(TokenType.ONE_TIME, organization_id)
            sample = json.loads((ROOT / "events/identity" / f"{name}.json").read_text())
            conn.execute(INSERT_MEMBER, (user_id, organization_id, email, status))
            if status == "active":
                conn.execute(SET_PASSWORD, (hashed_password(), user_id))
            conn.execute(INSERT_ONE_TIME_TOKEN, (organization_id, uuid4(), user_id, purpose, token.digest))
            tokens[json.loads(sample["body"])["token"]] = token.text
    return tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class _SsoLogIns:
    """A log-in that waits for its provider: *tokens* by the text in the sample that they replace, and its cookie.

    *saml_texts* are the form of a SAML provider that answers it, by the texts in the sample.
    """

    tokens: Mapping[str, str]
    cookie: str
    saml_texts: Mapping[str, str]


def _add_sso_log_ins(databases: Databases, organization_id: UUID, sso: SsoSetting) -> _SsoLogIns:
    """Add a log-in whose state and code are not used yet, by the planted connection."""
    types = (TokenType.SSO_STATE, TokenType.SSO_CODE, TokenType.SSO_FINISH)
    state, code, finish = (generate_token(each, organization_id) for each in types)
    secret = BrowserSecret.generate()
    with superuser(databases) as conn:
        encrypted = sso.encryptor.encrypt(b"secret", organization_id)
        usable = (encrypted, [SAML_KEY.der], organization_id)
        [(connection_id, issuer)] = conn.execute(MAKE_CONNECTION_USABLE, usable).fetchall()
        digests = (state.digest, secret.digest, connection_id, code.digest)
        conn.execute(INSERT_SSO_LOG_IN, (organization_id, *digests, organization_id, SESSION_EMAIL))
        _hand_over(conn, organization_id, connection_id, secret, finish, issuer)
    sampled = json.loads((ROOT / "events/sso/callback.json").read_text())["queryStringParameters"]["state"]
    body = json.loads((ROOT / "events/identity/log_in_by_sso.json").read_text())["body"]
    sampled_finish = json.loads((ROOT / "events/sso/finish_saml.json").read_text())["queryStringParameters"]["token"]
    sampled_form = json.loads((ROOT / "events/sso/take_answer.json").read_text())["body"]
    form = answer_form(SAML_KEY, state, issuer=issuer, life=TOKEN_LIFETIME).decode()
    cookies = (f"{HOST_PREFIX}sso_{digest.hex()[:16]}={secret.text}" for digest in (state.digest, HANDED_OVER_STATE))
    return _SsoLogIns(
        tokens={sampled: state.text, json.loads(body)["code"]: code.text, sampled_finish: finish.text},
        cookie="; ".join(cookies),
        saml_texts={text: own for (_, text), (_, own) in zip(parse_qsl(sampled_form), parse_qsl(form), strict=True)},
    )


def _hand_over(
    conn: psycopg.Connection[Any],
    organization_id: UUID,
    connection_id: UUID,
    secret: BrowserSecret,
    token: OpaqueToken,
    issuer: str,
) -> None:
    """Add a log-in whose browser is about to come with *token*, as the person with `SAML_SUBJECT`."""
    identity = ProvenIdentity(issuer=issuer, subject=SAML_SUBJECT, email=None)
    encrypted = encrypt_identity(identity, token, HANDED_OVER_STATE)
    values = (organization_id, HANDED_OVER_STATE, secret.digest, connection_id, token.digest, encrypted)
    conn.execute(INSERT_HANDED_OVER, values)
    conn.execute(INSERT_SAML_IDENTITY, (SAML_SUBJECT, organization_id, SESSION_EMAIL))


def _add_session(databases: Databases, organization_id: UUID) -> str:
    """Add a member that can log in, with a session. Return its refresh token."""
    user_id, session_id = uuid4(), uuid4()
    token = generate_token(TokenType.REFRESH, organization_id)
    with superuser(databases) as conn:
        conn.execute(INSERT_USER, (user_id, organization_id, SESSION_EMAIL, "viewer"))
        conn.execute(SET_PASSWORD, (hashed_password(), user_id))
        conn.execute(INSERT_SESSION, (organization_id, session_id, user_id))
        conn.execute(INSERT_REFRESH_TOKEN, (organization_id, token.digest, session_id))
    return token.text


def _insert_keys(databases: Databases, organization_id: UUID, app_id: UUID) -> dict[str, ApiKey]:
    """Insert a secret key with one scope, and revoked and expired keys of both types."""
    keys = {"narrow secret key": generate_key(KeyType.SECRET)}
    with superuser(databases) as conn:
        narrow = keys["narrow secret key"]
        insert_api_key(conn, organization_id, uuid4(), narrow, name="narrow", scopes=[EVENTS_WRITE])
        for state, statement in INVALIDATE_KEY.items():
            for key_type, app, name in ((KeyType.SECRET, None, "secret"), (KeyType.WRITE, app_id, "write")):
                key = keys[f"{state} {name} key"] = generate_key(key_type)
                insert_api_key(conn, organization_id, uuid4(), key, name=state, scopes=PERMISSIONS, app_id=app)
                conn.execute(statement, (key.digest,))
    return keys


def _key_credential(organization_id: UUID, kind: str, key: ApiKey) -> Credential:
    is_valid = not kind.startswith(tuple(INVALIDATE_KEY))
    return Credential(kind=kind, owner=organization_id, authorization=f"Bearer {key.text}", key=key, is_valid=is_valid)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Signs access tokens of one organization's members with the deployment's key, a JWK."""

    signing_key: Mapping[str, Any]
    organization_id: UUID

    def sign(
        self,
        role: str,
        user_id: UUID,
        *,
        invalid: str = "",
        epoch: str = VALID_EPOCH,
        issued_before: timedelta = timedelta(0),
    ) -> Credential:
        """Return a token of the member.

        *invalid* is the kind of a token that must be refused.
        """
        issued_at = datetime.now(UTC) - issued_before
        claims = {
            "sub": str(user_id),
            "user_id": str(user_id),
            "organization_id": str(self.organization_id),
            "email": f"{role}@x.example",
            "role": role,
            "permissions": sorted(ROLES[role]),
            "iss": ISSUER,
            "aud": ISSUER,
            "iat": int(issued_at.timestamp()),
            "exp": int((issued_at + TOKEN_LIFETIME).timestamp()),
            "jti": str(uuid4()),
            "token_use": "access",
            "epoch": epoch,
        }
        key = jwt.PyJWK(dict(self.signing_key))
        token = jwt.encode(claims, key.key, self.signing_key["alg"], headers={"kid": self.signing_key["kid"]})
        return Credential(
            kind=invalid or role,
            owner=self.organization_id,
            authorization=f"Bearer {token}",
            is_valid=not invalid,
        )


def _claim_domain(databases: Databases, organization_id: UUID, domain: str) -> str:
    with superuser(databases) as conn:
        for statement in (INSERT_EMAIL_DOMAIN, INSERT_CUSTOM_DOMAIN):
            conn.execute(statement, (organization_id, domain, uuid4(), "x" * 43))
    return domain


def _ids_of(databases: Databases, tables: Iterable[str]) -> set[str]:
    with superuser(databases) as conn:
        return {row_id for table in tables for (row_id,) in conn.execute(f"SELECT id::text FROM {table}".encode())}


def _name_images(databases: Databases, canaries: Canaries, organization_ids: Iterable[UUID]) -> None:
    field_name = "PostgreSQL branding_images.content"
    with superuser(databases) as conn:
        for organization_id in organization_ids:
            canary = canaries.create(organization_id, field_name)
            conn.execute(NAME_IMAGE, (SAMPLE_IMAGE, canary, organization_id))
    canaries.planted_fields.add(field_name)


def _make_usable(databases: Databases, used: set[str], canaries: Canaries, organization_ids: Iterable[UUID]) -> None:
    """Let calls create an app, and find keys without an end.

    These are a planted key of each organization's planted app, and the platform key of the samples.
    """
    with superuser(databases) as conn:
        conn.execute(ADD_ROOM)
        conn.execute(MAKE_ROTATABLE, {"used": list(used)})
        conn.execute(INSERT_PLATFORM_KEY, (SAMPLE_PLATFORM_KEY, generate_key(KeyType.PLATFORM).digest))
    _name_images(databases, canaries, organization_ids)


def _organization(
    databases: Databases, organization_id: UUID, name: str, write_key: ApiKey, used: set[str], tables: Iterable[Table]
) -> ProofOrganization:
    """Return the organization with the id of one row for each of *tables*.

    Calls end keys and delete apps, so these ids are not among the *used* ones, which the credentials need.
    """
    with superuser(databases) as conn:
        statement = "SELECT subdomain, gateway_key FROM organizations WHERE id = %s"
        [(subdomain, gateway_key)] = conn.execute(statement, (organization_id,)).fetchall()
        row_ids = {}
        for table in tables:
            order = "status = 'invited' DESC, role DESC" if table.name == "users" else "1"
            statement = f"""
                SELECT id::text FROM {table.name} WHERE {table.tenant_column} = %s AND id::text <> ALL (%s)
                ORDER BY {order} LIMIT 1
            """
            for (row_id,) in conn.execute(statement.encode(), (organization_id, list(used))):
                row_ids[table.name] = row_id
    return ProofOrganization(
        name=name,
        organization_id=organization_id,
        subdomain=subdomain,
        gateway_key=gateway_key,
        row_ids=row_ids,
        write_key=write_key,
    )


def _owners(databases: Databases, tables: Iterable[Table]) -> dict[str, UUID]:
    """Return the organization of each row's id, without the ids of organizations themselves."""
    owners: dict[str, UUID] = {}
    with superuser(databases) as conn:
        for table in tables:
            if table.tenant_column != "id":
                owners.update(conn.execute(f"SELECT id::text, organization_id FROM {table.name}").fetchall())
    return owners


def _has_uuid(table: Table) -> bool:
    return ("id", "uuid") in {(column.name, column.type) for column in table.columns}
