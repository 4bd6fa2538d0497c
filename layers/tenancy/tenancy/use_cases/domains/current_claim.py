"""The claim of a task of the state machine, and the lease of the claim's resources in AWS."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from tenancy.rules.audit_record import Actor
from tenancy.rules.custom_domains import CustomDomain
from tenancy.rules.durations import DOMAIN_LEASE_TIME
from tenancy.rules.organization import CHANGEABLE
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.custom_domains import lock_claim, update_custom_domain
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.organizations import lock_status
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease


class OutdatedAttemptError(Exception):
    """The claim is gone, another execution works on it, or its organization is deleted. Nothing is left to do."""


class ClaimBusyError(Exception):
    """Another task changes the resources of the claim. A retry succeeds after it, or after the end of its lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a claim, which one execution works on."""

    organization_id: UUID
    claim_id: UUID
    number: int
    execution: str

    @property
    def actor(self) -> Actor:
        """The platform itself, for the audit log."""
        return Actor(kind=CallerKind.OPERATOR, id=UUID(int=0), request_id=self.execution, source_address="")


def lock_current(conn: Connection, attempt: Attempt) -> CustomDomain:
    """Return the claim of *attempt*, which no other transaction changes until this one ends.

    Raises:
        OutdatedAttemptError: the attempt is not the last one, or the organization is deleted.
    """
    status = lock_status(conn, attempt.organization_id)  # before the claim, as requests do
    claim = lock_claim(conn, attempt.organization_id, attempt.claim_id)
    if status not in CHANGEABLE or claim is None or claim.attempt != attempt.number:
        raise OutdatedAttemptError
    return claim


def read_current(platform_db: Homes, attempt: Attempt) -> CustomDomain:
    """Return the claim of *attempt*.

    Raises:
        OutdatedAttemptError: as for `lock_current`.
    """
    with platform_db.tenant_transaction(attempt.organization_id) as conn:
        return lock_current(conn, attempt)


def change_current(
    platform_db: Homes, attempt: Attempt, change: Callable[[CustomDomain], CustomDomain]
) -> CustomDomain:
    """Store the claim of *attempt* after *change*, and return it.

    Raises:
        OutdatedAttemptError: as for `lock_current`.
    """
    with platform_db.tenant_transaction(attempt.organization_id) as conn:
        changed = change(lock_current(conn, attempt))
        update_custom_domain(conn, attempt.organization_id, changed)
    return changed


@contextmanager
def holding_resources(platform_db: Homes, organization_id: UUID, claim_id: UUID, *, now: datetime) -> Iterator[None]:
    """Hold the lease of the claim's resources in AWS, so that nothing is made while they are removed.

    A task reads its claim after it has the lease. A removal that follows it waits, and one before it has changed the
    attempt. The lease of a task that dies ends after `DOMAIN_LEASE_TIME`, when the task cannot run any more.

    Raises:
        ClaimBusyError: another task holds it.
    """
    name, holder = f"custom domain {claim_id}", uuid4()
    with platform_db.tenant_transaction(organization_id) as conn:
        if not take_lease(conn, name, holder, now=now, ends_at=now + DOMAIN_LEASE_TIME):
            raise ClaimBusyError
    try:
        yield
    finally:
        with platform_db.tenant_transaction(organization_id) as conn:
            delete_lease(conn, name, holder)
