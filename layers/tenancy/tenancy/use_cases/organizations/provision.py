"""Provision an organization: store it with its keys, then create its gateway key."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import RequestInProgressError, SubdomainTakenError, UnavailableError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.durations import PROVISIONING_CLAIM_TIME
from tenancy.rules.homes import Entry, EntryKind
from tenancy.rules.keys.api_keys import ApiKey, KeyType, generate_key
from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.organization import Organization, OrganizationStatus, gateway_key_value, subdomain_skeleton
from tenancy.rules.people.password_hashes import HASHER
from tenancy.rules.permissions import EVENTS_WRITE, SECRET_KEY_PERMISSIONS
from tenancy.rules.quotas import Metric
from tenancy.rules.reserved_subdomains import is_reserved
from tenancy.stores.postgres.api_keys import insert_api_key
from tenancy.stores.postgres.apps import insert_app
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.organizations import insert_organization
from tenancy.stores.postgres.platform.outbox import (
    OutboxEntry,
    has_pending_entry,
    insert_claimed_entry,
    insert_outbox_entry,
)
from tenancy.stores.postgres.platform.quarantine import is_quarantined
from tenancy.stores.postgres.users import insert_user
from tenancy.use_cases.homes.claim_values import claim_values, must_claim, release_values
from tenancy.use_cases.organizations.claim_seat import claim_seat
from tenancy.use_cases.outbox.run_entries import OutboxKind, OutboxTargets, run_entries_now, run_entry

PROVISIONED: Final = "organization.provisioned"
FIRST_APP_NAME: Final = "Default App"
FIRST_APP_PLATFORM: Final = "web"
FIRST_SECRET_KEY_NAME: Final = "First secret key"  # noqa: S105 - a name
FIRST_GENERATION: Final = 1
KEYS_NOT_ACTIVE: Final = (
    "The organization is stored, but its gateway key is not active yet. "
    "Repeat the request with the same Idempotency-Key."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """A provisioned organization, with its keys in full."""

    organization: Organization
    admin_user_id: UUID
    admin_email: str
    app_id: UUID
    write_key: ApiKey
    write_key_id: UUID
    secret_key: ApiKey
    secret_key_id: UUID


def provision_organization(
    platform_db: Homes, targets: OutboxTargets, new: NewOrganization, actor: Actor, *, now: datetime
) -> Provisioned:
    """Provision *new* and create its gateway key in the usage plan of its tier.

    The sweep sends the welcome mail.

    Raises:
        SubdomainTakenError: the subdomain is reserved, in quarantine, or taken by another organization (also in a
            spelling that looks alike). Nothing was stored.
        UnavailableError: a store is unreachable. Before the commit nothing was stored. After it the sweep finishes.
    """
    provisioned = prepare_organization(uuid4(), new, now=now)
    password_hash = hash_password(new)
    with (
        claimed(platform_db, provisioned, now=now),
        platform_db.tenant_transaction(provisioned.organization.id) as conn,
    ):
        gateway_key = insert_provisioned(conn, provisioned, password_hash, actor, now=now)
    put_gateway_key(platform_db, targets, gateway_key, now=now)
    return provisioned


def prepare_organization(organization_id: UUID, new: NewOrganization, *, now: datetime) -> Provisioned:
    """Choose all ids and keys before they are stored, so that a retry returns the same answer.

    Raises:
        SubdomainTakenError: the subdomain is reserved.
    """
    if is_reserved(new.subdomain):
        raise SubdomainTakenError(new.subdomain)
    return Provisioned(
        organization=Organization(
            id=organization_id,
            name=new.name,
            subdomain=new.subdomain,
            tier=new.tier,
            status=OrganizationStatus.ACTIVE,
            created_at=now,
            updated_at=now,
            deleted_at=None,
            purge_at=None,
            deletion_reason=None,
        ),
        admin_user_id=uuid4(),
        admin_email=new.admin_email,
        app_id=uuid4(),
        write_key=generate_key(KeyType.WRITE),
        write_key_id=uuid4(),
        secret_key=generate_key(KeyType.SECRET),
        secret_key_id=uuid4(),
    )


@contextmanager
def claimed(platform_db: Homes, provisioned: Provisioned, *, now: datetime) -> Iterator[None]:
    """Claim the names and keys of a new organization, and run the block, which stores it.

    A refusal of the block releases them. After any other error it is unknown whether the organization was stored.

    Raises:
        SubdomainTakenError: another database has the subdomain, or one that looks alike, or it is in quarantine.
        UnavailableError: a database is unreachable.
    """
    try:
        if must_claim(platform_db):
            _claim(platform_db, provisioned, now)
        yield
    except SubdomainTakenError:
        with suppress(UnavailableError):
            release_values(platform_db, provisioned.organization.id)
        raise


def _claim(platform_db: Homes, provisioned: Provisioned, now: datetime) -> None:
    subdomain = provisioned.organization.subdomain
    entries = [
        Entry(EntryKind.SUBDOMAIN, subdomain),
        Entry(EntryKind.SKELETON, subdomain_skeleton(subdomain)),
        *(Entry(EntryKind.KEY, key.digest.hex()) for key in (provisioned.write_key, provisioned.secret_key)),
    ]
    if claim_values(platform_db, provisioned.organization.id, entries, now=now) is not None:
        raise SubdomainTakenError(subdomain)
    # After the claim: an erasure puts the subdomain into quarantine before it deletes the name.
    with platform_db.catalogue.transaction() as conn:
        if is_quarantined(conn, subdomain, now=now):
            raise SubdomainTakenError(subdomain)


def hash_password(new: NewOrganization) -> str:
    """Return the stored hash of the administrator's password.

    It takes tens of milliseconds. Call it outside a transaction.
    """
    return HASHER.hash(new.admin_password.get_secret_value())


def insert_provisioned(
    conn: Connection, provisioned: Provisioned, password_hash: str, actor: Actor, *, now: datetime
) -> OutboxEntry:
    """Store the organization with its audit record and outbox entries.

    Return the entry of the gateway key, which is claimed for the caller.

    Raises:
        SubdomainTakenError: the subdomain is taken or in quarantine.
    """
    organization = provisioned.organization
    gateway_key = gateway_key_value(organization.id, FIRST_GENERATION)
    insert_organization(conn, organization, gateway_key=gateway_key)
    # After the insert, which waits for the commit of an erasure that puts the subdomain into quarantine.
    if is_quarantined(conn, organization.subdomain, now=now):
        raise SubdomainTakenError(organization.subdomain)
    _insert_people_and_keys(conn, provisioned, password_hash, now=now)
    target = str(organization.id)
    record = AuditRecord.done(PROVISIONED, target, actor, now=now)
    insert_audit_record(conn, organization.id, record)
    mail = {"to": provisioned.admin_email, "organization_name": organization.name}
    insert_outbox_entry(conn, organization.id, OutboxKind.WELCOME_MAIL, mail, due_at=now)
    key = {"value": gateway_key, "tier": organization.tier}
    return insert_claimed_entry(conn, organization.id, OutboxKind.GATEWAY_KEY, key, until=now + PROVISIONING_CLAIM_TIME)


def put_gateway_key(platform_db: Homes, targets: OutboxTargets, gateway_key: OutboxEntry, *, now: datetime) -> None:
    """Create the gateway key of an organization that the caller has just stored.

    *gateway_key* is the claimed outbox entry.

    Raises:
        UnavailableError: API Gateway is unreachable. The sweep retries.
    """
    if not run_entry(platform_db, targets, gateway_key, now=now):
        raise _keys_not_active()


def ensure_gateway_key(platform_db: Homes, targets: OutboxTargets, organization_id: UUID, *, now: datetime) -> None:
    """Create the gateway key of an organization that an earlier request stored, if missing.

    Raises:
        UnavailableError: API Gateway is unreachable. The sweep retries.
        RequestInProgressError: another request or the sweep has claimed the entry.
    """
    if not run_entries_now(platform_db, targets, organization_id, OutboxKind.GATEWAY_KEY, now=now):
        raise _keys_not_active()
    with platform_db.tenant_transaction(organization_id) as conn:
        if has_pending_entry(conn, organization_id, OutboxKind.GATEWAY_KEY):
            raise RequestInProgressError(KEYS_NOT_ACTIVE)


def _keys_not_active() -> UnavailableError:
    return UnavailableError(KEYS_NOT_ACTIVE, retry_after=60)


def _insert_people_and_keys(conn: Connection, provisioned: Provisioned, password_hash: str, *, now: datetime) -> None:
    organization_id = provisioned.organization.id
    claim_seat(conn, organization_id, Metric.USERS, now=now)
    insert_user(
        conn,
        organization_id,
        provisioned.admin_user_id,
        email=provisioned.admin_email,
        password_hash=password_hash,
        role="super_admin",
    )
    claim_seat(conn, organization_id, Metric.APPS, now=now)
    insert_app(conn, organization_id, provisioned.app_id, name=FIRST_APP_NAME, platform=FIRST_APP_PLATFORM)
    insert_api_key(
        conn,
        organization_id,
        provisioned.write_key_id,
        provisioned.write_key,
        name=FIRST_APP_NAME,
        scopes=[EVENTS_WRITE],
        app_id=provisioned.app_id,
    )
    insert_api_key(
        conn,
        organization_id,
        provisioned.secret_key_id,
        provisioned.secret_key,
        name=FIRST_SECRET_KEY_NAME,
        scopes=SECRET_KEY_PERMISSIONS,
    )
