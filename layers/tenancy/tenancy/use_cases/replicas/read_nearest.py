"""Read from the replica, or from the primary if the replica cannot answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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

    *use* may run twice: on the replica, and then on the *primary*.

    Raises:
        Refusal: the read was refused.
    """
    try:
        return NearestRead(found=replica.read(use, marks), fault=None)
    except ReplicaError as error:
        fault = error.fault
    return NearestRead(found=use(primary), fault=fault)
