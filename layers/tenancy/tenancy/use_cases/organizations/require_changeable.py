"""Require that an organization can be changed, in the transaction that changes rows of it."""

from uuid import UUID

from tenancy.errors import ErasedError, NotFoundError, TransitionNotAllowedError
from tenancy.rules.organization import CHANGEABLE, OrganizationStatus
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.organizations import lock_status


def require_changeable(conn: Connection, organization_id: UUID) -> None:
    """Require an active or suspended organization. It stays so until the transaction ends.

    An erasure that begins waits for the transaction. Call it after `lock_seats`, and before other rows are locked: the
    same order prevents deadlocks.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        TransitionNotAllowedError: the organization is deleted or being erased.
    """
    status = lock_status(conn, organization_id)
    if status is None:
        raise NotFoundError("There is no such organization.")
    if status is OrganizationStatus.ERASED:
        raise ErasedError
    require_changeable_status(status)


def require_changeable_status(status: OrganizationStatus) -> None:
    """Require a status in which an organization can be changed.

    Raises:
        TransitionNotAllowedError: the status is another one.
    """
    if status not in CHANGEABLE:
        allowed = " or ".join(sorted(CHANGEABLE))
        raise TransitionNotAllowedError(f"{status.sentence} It can be changed only while {allowed}.")
