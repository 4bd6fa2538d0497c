"""Provision an organization: administrator, first app and keys in one transaction, then gateway key and mail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from argon2 import PasswordHasher

from tenancy.api_keys import ApiKey, KeyType, generate_key
from tenancy.audit import Actor, Outcome, Record
from tenancy.errors import SubdomainTakenError, UnavailableError
from tenancy.new_organization import NewOrganization
from tenancy.organization import RESERVED_SUBDOMAINS, Organization, gateway_key_value
from tenancy.permissions import EVENTS_WRITE, PERMISSIONS
from tenancy.quotas import Metric
from tenancy.stores.api_keys import insert_api_key
from tenancy.stores.apps import insert_app
from tenancy.stores.audit import insert_record
from tenancy.stores.platform.organizations import insert_organization
from tenancy.stores.platform.outbox import insert_effect
from tenancy.stores.postgres import Connection, Database
from tenancy.stores.users import insert_user
from tenancy.use_cases.effects import Kind, World, drain
from tenancy.use_cases.seats import claim_seat

PROVISIONED: Final = "organization.provisioned"
FIRST_APP_NAME: Final = "Default App"
FIRST_APP_PLATFORM: Final = "web"
# OWASP password storage cheat sheet: argon2id with 19 MiB, two passes, one lane.
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """What provisioning made. The keys are here in full, for the only time."""

    organization: Organization
    admin_user_id: UUID
    admin_email: str
    app_id: UUID
    write_key: ApiKey
    write_key_id: UUID
    secret_key: ApiKey
    secret_key_id: UUID


def provision_organization(
    platform_db: Database, world: World, new: NewOrganization, actor: Actor, *, now: datetime
) -> Provisioned:
    """Provision *new* and return when API Gateway meters it in the plan of its tier; the sweep sends the mail.

    Raises:
        SubdomainTakenError: another organization answers at that subdomain, or it is reserved; nothing was made.
        UnavailableError: a store is away. Before the commit nothing was made; after it the sweep finishes.
    """
    if new.subdomain in RESERVED_SUBDOMAINS:
        raise SubdomainTakenError(new.subdomain)
    password_hash = HASHER.hash(new.admin_password.get_secret_value())
    organization_id = uuid4()
    with platform_db.tenant_transaction(organization_id) as conn:
        provisioned = _insert_all(conn, organization_id, new, password_hash, now)
        insert_record(
            conn,
            organization_id,
            Record(occurred_at=now, actor=actor, action=PROVISIONED, outcome=Outcome.DONE, target=str(organization_id)),
        )
    drained = drain(platform_db, world, now=now, organization_id=organization_id, kind=Kind.GATEWAY_KEY)
    if Kind.GATEWAY_KEY not in drained.done:
        raise UnavailableError("The organization is stored; API Gateway will know it within minutes.", retry_after=60)
    return provisioned


def _insert_all(
    conn: Connection, organization_id: UUID, new: NewOrganization, password_hash: str, now: datetime
) -> Provisioned:
    gateway_key = gateway_key_value(organization_id, generation=1)
    organization = insert_organization(
        conn, organization_id, name=new.name, subdomain=new.subdomain, tier=new.tier, gateway_key=gateway_key
    )
    user_id, app_id, write_key_id, secret_key_id = uuid4(), uuid4(), uuid4(), uuid4()
    claim_seat(conn, organization_id, Metric.USERS, now=now)
    insert_user(conn, organization_id, user_id, email=new.admin_email, password_hash=password_hash, role="super_admin")
    claim_seat(conn, organization_id, Metric.APPS, now=now)
    insert_app(conn, organization_id, app_id, name=FIRST_APP_NAME, platform=FIRST_APP_PLATFORM)
    write_key, secret_key = generate_key(KeyType.WRITE), generate_key(KeyType.SECRET)
    insert_api_key(
        conn, organization_id, write_key_id, write_key, name=FIRST_APP_NAME, scopes=[EVENTS_WRITE], app_id=app_id
    )
    insert_api_key(conn, organization_id, secret_key_id, secret_key, name="First secret key", scopes=PERMISSIONS)
    insert_effect(conn, organization_id, Kind.GATEWAY_KEY, {"value": gateway_key, "tier": new.tier}, due_at=now)
    insert_effect(
        conn, organization_id, Kind.WELCOME_MAIL, {"to": new.admin_email, "organization_name": new.name}, due_at=now
    )
    return Provisioned(
        organization=organization,
        admin_user_id=user_id,
        admin_email=new.admin_email,
        app_id=app_id,
        write_key=write_key,
        write_key_id=write_key_id,
        secret_key=secret_key,
        secret_key_id=secret_key_id,
    )
