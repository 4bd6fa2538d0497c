"""Three organizations of one deployment, with people of every role, and every sort of key, alive and dead."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
from pydantic import SecretStr

from tenancy.rules.api_keys import ApiKey, KeyType, generate_key
from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.permissions import EVENTS_WRITE, PERMISSIONS, ROLES
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.api_keys import insert_api_key
from tenancy.use_cases.organizations.provision import provision_organization
from tenancy.use_cases.outbox.effects import World, drain
from tests.given import OPERATOR, PASSWORD, Databases
from tests.handlers.functions import ISSUER, superuser
from tests.isolation.proof.canaries import Canaries, plant
from tests.isolation.proof.discovery.tables import discover_tables

NAMES = {"acme": Tier.STARTER, "globex": Tier.GROWTH, "initech": Tier.ENTERPRISE}
LIVE_EPOCH, STALE_EPOCH = "0.0", "0.1"
INSERT_USER = "INSERT INTO users (id, organization_id, email, role) VALUES (%s, %s, %s, %s)"
END_KEY = {
    "revoked": "UPDATE api_keys SET revoked_at = now() WHERE digest = %s",
    "expired": "UPDATE api_keys SET expires_at = now() - interval '1 minute' WHERE digest = %s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What somebody calls with; *owner* is None for the operator and for nobody."""

    kind: str
    owner: UUID | None
    authorization: str | None
    key: ApiKey | None = None
    is_live: bool = True

    @property
    def is_operator(self) -> bool:
        return self.owner is None and self.authorization is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Whom a request may name, and what of it: ids of its rows by table, its cursors by call, its write key."""

    name: str
    organization_id: UUID
    subdomain: str
    gateway_key: str
    rows: Mapping[str, str]
    write_key: ApiKey
    cursors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """All organizations, whatever anybody calls them with, and the canaries in their rows."""

    organizations: tuple[Named, ...]
    credentials: tuple[Credential, ...]
    canaries: Canaries
    owners: Mapping[str, UUID]  # of the ids of rows

    def of(self, organization_id: UUID | None) -> tuple[Credential, ...]:
        return tuple(credential for credential in self.credentials if credential.owner == organization_id)

    def find(self, kind: str, organization_id: UUID | None) -> Credential:
        return next(credential for credential in self.of(organization_id) if credential.kind == kind)


def settle(databases: Databases, world: World, operator_key: ApiKey) -> Neighbours:
    """Provision the organizations through the real use case, and let their canaries out."""
    canaries = Canaries()
    credentials = [
        Credential(kind="nobody", owner=None, authorization=None),
        Credential(kind="operator", owner=None, authorization=f"Bearer {operator_key.text}", key=operator_key),
    ]
    names = {}
    write_keys = {}
    for name, tier in NAMES.items():
        organization_id, found = _settle_one(databases, world, canaries, tier)
        names[organization_id] = name
        credentials += found
        write_keys[organization_id] = next(each.key for each in found if each.kind == "write key" and each.key)
    drain(databases.platform, world, now=datetime.now(UTC))  # the mail, as the sweep sends it
    plant(databases, canaries, names)
    owners = _owners(databases)
    organizations = tuple(_named(databases, each, names[each], write_keys[each]) for each in names)
    return Neighbours(organizations=organizations, credentials=tuple(credentials), canaries=canaries, owners=owners)


def stranger(like: Named) -> Named:
    """Return an organization that does not exist."""
    return Named(
        name="nobody",
        organization_id=UUID("0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"),
        subdomain="nobody-0f0f0f0f0f0f0f0f",
        gateway_key="",
        rows={table: str(UUID(int=number + 1, version=4)) for number, table in enumerate(sorted(like.rows))},
        write_key=generate_key(KeyType.WRITE),
    )


def _settle_one(databases: Databases, world: World, canaries: Canaries, tier: Tier) -> tuple[UUID, list[Credential]]:
    texts = [canaries.new(None, f"mail {place}") for place in ("name", "subdomain", "address")]
    new = NewOrganization(
        name=texts[0],
        subdomain=texts[1],
        admin_email=f"{texts[2]}@x.example",
        admin_password=SecretStr(PASSWORD),
        tier=tier,
    )
    made = provision_organization(databases.platform, world, new, OPERATOR, now=datetime.now(UTC))
    organization_id = made.organization.id
    for text in texts:
        canaries.claim(text, organization_id)
    people = {"super_admin": made.admin_user_id} | {role: uuid4() for role in ROLES if role != "super_admin"}
    with superuser(databases) as conn:
        for role, user_id in people.items():
            if role != "super_admin":
                conn.execute(INSERT_USER, (user_id, organization_id, f"{role}@x.example", role))
    keys = {"write key": made.write_key, "secret key": made.secret_key}
    keys |= _insert_keys(databases, organization_id, made.app_id)
    return organization_id, [
        *(_person(databases, organization_id, role, user_id) for role, user_id in people.items()),
        _person(databases, organization_id, "super_admin", made.admin_user_id, "stale token", epoch=STALE_EPOCH),
        _person(databases, organization_id, "super_admin", made.admin_user_id, "expired token", lasts=-900),
        *(_key_holder(organization_id, kind, key) for kind, key in keys.items()),
    ]


def _insert_keys(databases: Databases, organization_id: UUID, app_id: UUID) -> dict[str, ApiKey]:
    keys: dict[str, ApiKey] = {}
    with superuser(databases) as conn:
        keys["narrow secret key"] = generate_key(KeyType.SECRET)
        scopes = [EVENTS_WRITE]
        insert_api_key(conn, organization_id, uuid4(), keys["narrow secret key"], name="narrow", scopes=scopes)
        for end, statement in END_KEY.items():
            for key_type, app, name in ((KeyType.SECRET, None, "secret"), (KeyType.WRITE, app_id, "write")):
                key = keys[f"{end} {name} key"] = generate_key(key_type)
                insert_api_key(conn, organization_id, uuid4(), key, name=end, scopes=PERMISSIONS, app_id=app)
                conn.execute(statement, (key.digest,))
    return keys


def _key_holder(organization_id: UUID, kind: str, key: ApiKey) -> Credential:
    dead = kind.startswith(tuple(END_KEY))
    return Credential(kind=kind, owner=organization_id, authorization=f"Bearer {key.text}", key=key, is_live=not dead)


def _person(
    databases: Databases,
    organization_id: UUID,
    role: str,
    user_id: UUID,
    kind: str = "",
    *,
    epoch: str = LIVE_EPOCH,
    lasts: int = 900,
) -> Credential:
    now = datetime.now(UTC) - timedelta(seconds=max(0, -2 * lasts))
    claims = {
        "sub": str(user_id),
        "user_id": str(user_id),
        "organization_id": str(organization_id),
        "email": f"{role}@x.example",
        "role": role,
        "permissions": sorted(ROLES[role]),
        "iss": ISSUER,
        "aud": ISSUER,
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + abs(lasts),
        "jti": str(uuid4()),
        "token_use": "access",
        "epoch": epoch,
    }
    token = sign(databases.servers.credentials.signing_key, claims)
    return Credential(kind=kind or role, owner=organization_id, authorization=f"Bearer {token}", is_live=not kind)


def sign(key: Mapping[str, Any], claims: Mapping[str, object], **headers: object) -> str:
    """Return a token of *claims*; keywords add to its header."""
    header = {"kid": key["kid"], **headers}
    return jwt.encode(dict(claims), jwt.PyJWK(dict(key)).key, str(key["alg"]), headers=header)


def _named(databases: Databases, organization_id: UUID, name: str, write_key: ApiKey) -> Named:
    with superuser(databases) as conn:
        row = conn.execute("SELECT subdomain, gateway_key FROM organizations WHERE id = %s", (organization_id,))
        subdomain, gateway_key = row.fetchall()[0]
        rows = {
            table.name: str(found[0])
            for table in discover_tables(conn)
            if ("id", "uuid") in {(column.name, column.type) for column in table.columns}
            and (
                found := conn.execute(
                    f"SELECT id FROM {table.name} WHERE {table.tenant_column} = %s LIMIT 1", (organization_id,)
                ).fetchone()
            )
        }
    return Named(
        name=name, organization_id=organization_id, subdomain=subdomain, gateway_key=gateway_key, rows=rows,
        write_key=write_key,
    )  # fmt: skip


def _owners(databases: Databases) -> dict[str, UUID]:
    """Return whose each id of a row is, of rows other than the organization's own."""
    owners: dict[str, UUID] = {}
    with superuser(databases) as conn:
        for table in discover_tables(conn):
            if ("id", "uuid") in {(each.name, each.type) for each in table.columns} and table.tenant_column != "id":
                statement = f"SELECT id::text, organization_id FROM {table.name}"
                owners.update(conn.execute(statement).fetchall())
    return owners
