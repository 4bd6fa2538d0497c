"""Read from the replica, or from the primary if the replica cannot answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenancy.errors import NotFoundError
from tenancy.rules.replica_reads import ReplicaFault, WriteMark
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.replica import Replica, ReplicaError


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestRead[Found]:
    """What was found, and why it did not come from the replica, None if it did."""

    found: Found
    fault: ReplicaFault | None


def read_nearest[Found](
    primary: Database, replica: Replica, use: Callable[[Database], Found], marks: Sequence[WriteMark | None]
) -> NearestRead[Found]:
    """Return the result of *use*, a read, with the writes of *marks*.

    *use* may run twice: on the replica, and then on the *primary*. The primary also answers about a thing that the
    replica does not know, because it may be new.

    Raises:
        Refusal: the read was refused.
    """
    try:
        return NearestRead(found=replica.read(use, marks), fault=None)
    except ReplicaError as error:
        fault = error.fault
    except NotFoundError:
        fault = ReplicaFault.AWAITED
    return NearestRead(found=use(primary), fault=fault)
