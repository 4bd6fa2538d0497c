"""Common test data: addresses of servers, databases of a test, and organizations."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from scripts.stack import postgres, valkey
from scripts.stack.credentials import Credentials
from tenancy.rules.audit_record import Actor
from tenancy.rules.entitlements import Entitlements, Overrides
from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.standing import LIVE, Standing
from tenancy.rules.tenant import AdmittedTenant, CallerKind, Tenant
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import put_standing, seed_usage
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries

ROOT = Path(__file__).parents[1]
MIGRATIONS = ROOT / "layers" / "migrations"
REGION = "eu-central-1"
STACK_NAME = "tenancy-test"
PLANS_PATH = f"/{STACK_NAME}/usage-plans"
PATIENCE_SECONDS = 10.0  # time-out for Redis: long, because the machine may be slow
EXPORTS_BUCKET = "exports"
DEAD_LETTERS_BUCKET = "dead-letters"
REGISTER_BUCKET = "register"
SENDER = "no-reply@attribution.localhost"
API_URL = "https://sdk.attribution.example/v1"
NO_OVERRIDES: Overrides = {}
PASSWORD = "correct horse battery staple"
CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

OPERATOR = Actor(
    kind=CallerKind.OPERATOR,
    id=UUID("0c000000-0000-4000-8000-0000000000c2"),
    request_id="request-1",
    source_address="203.0.113.10",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Addresses of the database servers.

    Functions never get *superuser_url*. *clickhouse_folder* is None if ClickHouse is a real server. Its
    *clickhouse_login* is `user:password@`.
    """

    credentials: Credentials
    postgres_port: int
    superuser_url: str
    clickhouse_port: int
    clickhouse_folder: Path | None
    valkey_port: int
    clickhouse_login: str = ""

    @property
    def valkey_url(self) -> str:
        return valkey.url_for("127.0.0.1", port=self.valkey_port, password=self.credentials.valkey)

    def postgres_url(self, role: str, database: str) -> str:
        passwords = {
            postgres.OWNER: self.credentials.owner,
            postgres.FUNCTIONS: self.credentials.functions,
            postgres.PLATFORM: self.credentials.platform,
            postgres.AUTHORIZER: self.credentials.authorizer,
        }
        return postgres.url_for(role, passwords[role], "127.0.0.1", port=self.postgres_port, database=database)

    def clickhouse_url(self, database: str) -> str:
        return f"http://{self.clickhouse_login}127.0.0.1:{self.clickhouse_port}/{database}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """The databases of a test, opened with each role."""

    name: str
    servers: Servers
    owner: Database
    functions: Database
    platform: Database
    authorizer: Database
    clickhouse: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccount:
    """The AWS account of a test, with the queues and plans of the template."""

    endpoint_url: str
    queue_url: str
    dead_letters_url: str
    audit_queue_url: str
    audit_dead_letters_url: str
    rejected_calls_url: str
    signing_key_id: str
    encryption_key_id: str
    exports_bucket: str
    dead_letters_bucket: str
    register_bucket: str
    plan_ids: dict[str, str]
    state_machine_arn: str


def new_organization(name: str, tier: Tier = Tier.STARTER) -> NewOrganization:
    return NewOrganization(
        name=name.title(),
        subdomain=name,
        admin_email=f"admin@{name}.example",
        admin_password=SecretStr(PASSWORD),
        tier=tier,
    )


def provision(databases: Databases, targets: OutboxTargets, name: str, tier: Tier) -> Provisioned:
    """Provision an organization and run its outbox entries, as the sweep does.

    Its password is hashed cheaply, because most tests need no password and each needs an organization.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tenancy.use_cases.organizations.provision.HASHER", CHEAP_HASHER)
        provisioned = provision_organization(
            databases.platform, targets, new_organization(name, tier), OPERATOR, now=datetime.now(UTC)
        )
    run_due_entries(databases.platform, targets, now=datetime.now(UTC))
    return provisioned


def sold(tier: Tier) -> Entitlements:
    """Return the entitlements of an organization on *tier* without overrides."""
    return Entitlements(tier=tier, overrides=NO_OVERRIDES)


def tenant_of(
    provisioned: Provisioned,
    *,
    scopes: frozenset[str] = PERMISSIONS,
    tier: Tier | None = None,
    overrides: Overrides = NO_OVERRIDES,
) -> AdmittedTenant:
    """Return the secret key of an organization, admitted on its tier or on *tier*, with *overrides*."""
    return AdmittedTenant(
        organization_id=provisioned.organization.id,
        subdomain=provisioned.organization.subdomain,
        entitlements=Entitlements(tier=tier or provisioned.organization.tier, overrides=overrides),
        scopes=scopes,
        credential_id=provisioned.secret_key_id,
        kind=CallerKind.KEY,
    )


def member_of(provisioned: Provisioned) -> Tenant:
    """Return the first member of an organization, with an access token of one session."""
    return Tenant(
        organization_id=provisioned.organization.id,
        subdomain=provisioned.organization.subdomain,
        scopes=PERMISSIONS,
        credential_id=provisioned.admin_user_id,
        kind=CallerKind.PERSON,
        epoch="0.0",
        expires_at=datetime(2100, 1, 1, tzinfo=UTC),
        session_id=UUID("0193f6a2-9e52-4d0b-b2a1-7c8e5f6d4b32"),
    )


def event(number: int, **changes: object) -> dict[str, object]:
    """Return a valid event.

    Equal numbers give equal events.
    """
    return {
        "event_type": "purchase",
        "event_name": "Order Completed",
        "device_id": f"device-{number % 10}",
        "platform": "ios",
        "event_timestamp": "2026-11-20T10:00:00.123Z",
        "event_id": f"event-{number}",
        "properties": {"number": number, "note": 'quotes " and \\ and é and \u2028'},
        "revenue": "1.25",
        "currency": "EUR",
        **changes,
    }


NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def know(
    counters: Redis,
    tenant: Tenant,
    status: OrganizationStatus = OrganizationStatus.ACTIVE,
    *,
    events: int = 0,
    held: int = 0,
) -> None:
    """Seed Redis with the standing and the usage of *tenant*, on the smallest tier if it was not admitted."""
    entitlements = tenant.entitlements if isinstance(tenant, AdmittedTenant) else sold(Tier.STARTER)
    now = datetime.now(UTC)
    standing = Standing(entitlements=entitlements, status=status, epoch=0, version=int(now.timestamp() * 1e6))
    put_standing(counters, tenant.organization_id, standing, credential=(tenant.credential_id, LIVE))
    so_far = MonthSoFar(events=events, held=held, storage_bytes=0)
    seed_usage(counters, tenant.organization_id, so_far, now=now)
