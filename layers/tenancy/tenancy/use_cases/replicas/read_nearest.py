"""Read from the replica, or from the primary if the replica cannot answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from tenancy.errors import NotFoundError
from tenancy.rules.homes import CATALOGUE
from tenancy.rules.replica_reads import ReplicaFault, WriteMark
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.organizations import has_organization
from tenancy.stores.postgres.replica import Replica, ReplicaError


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestRead[Found]:
    """The result of a read, and the fault of the replica, None if the replica answered."""

    found: Found
    fault: ReplicaFault | None


def read_nearest[Found](
    primary: Homes,
    replica: Replica,
    organization_id: UUID,
    use: Callable[[Homes], Found],
    marks: Sequence[WriteMark | None],
) -> NearestRead[Found]:
    """Return the result of *use*, a read of the organization, with the writes of *marks*.

    *use* may run twice: on the replica, and then on the *primary*. The primary also answers about a thing that the
    replica does not know, because it may be new. The replica is that of the catalogue. Organizations of other databases
    are read from these.

    Raises:
        Refusal: the read was refused.
    """
    fault = ReplicaFault.ELSEWHERE
    if primary.name_home(organization_id) == CATALOGUE:
        try:
            found = replica.read(use if len(primary.by_name()) == 1 else _if_present(use, organization_id), marks)
            return NearestRead(found=found, fault=None)
        except ReplicaError as error:
            fault = error.fault
        except NotFoundError:
            fault = ReplicaFault.AWAITED
    return NearestRead(found=use(primary), fault=fault)


def _if_present[Found](use: Callable[[Homes], Found], organization_id: UUID) -> Callable[[Database], Found]:
    """Return *use* for a replica that may not have an organization yet that was just moved to its database."""

    def use_if_present(db: Database) -> Found:
        with db.tenant_transaction(organization_id) as conn:
            if not has_organization(conn, organization_id):
                raise ReplicaError(ReplicaFault.ELSEWHERE)
        return use(db)

    return use_if_present
