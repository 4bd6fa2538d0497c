"""Routes whose reads a replica of PostgreSQL may answer, and the header `X-Read-After`.

The answer to a write has a token in that header. A read that sends it back shows the write. Reasons:
docs/decisions/0086-read-replicas.md.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from tenancy.gateway.http import READ_AFTER, Request, Response
from tenancy.gateway.metrics import REPLICA_FALLBACKS, REPLICA_READS_CANCELLED, count
from tenancy.gateway.resolver import caller_of, request_of
from tenancy.gateway.serve import log_fault
from tenancy.rules.replica_reads import ReplicaFault
from tenancy.rules.resolution import ORGANIZATION_MEMBER, find_id
from tenancy.rules.tenant import Caller, Operator

if TYPE_CHECKING:  # a stack without a replica loads neither
    from tenancy.stores.postgres.homes import Homes
    from tenancy.stores.postgres.replica import Replica
    from tenancy.use_cases.replicas.read_tokens import ReadTokens

NEAREST: Final = "nearest"
READ_FROM: Final = "read_from"  # of the log line of a request
# An alarm watches the first metric. The fault is no dimension of the metric, so that one alarm covers all faults.
METRICS: Final = MappingProxyType(
    {
        ReplicaFault.UNREACHABLE: REPLICA_FALLBACKS,
        ReplicaFault.LAG: REPLICA_FALLBACKS,
        ReplicaFault.CANCELLED: REPLICA_READS_CANCELLED,
    }
)
UNCHANGED: Final = frozenset({"GET", "HEAD"})


def nearest[F: Callable[..., Any]](function: F) -> F:
    """Declare that a replica may answer the reads of the decorated route, which calls `NearestReads.read`.

    Such a route changes nothing, and no decision about a caller depends on what it reads.
    """
    vars(function)[NEAREST] = True
    return function


def is_nearest(function: Callable[..., Any]) -> bool:
    """Tell whether the route *function* has the decorator."""
    return NEAREST in vars(function)


class NearestReads:
    """Reads of the caller's organization from a replica, if there is one and it can answer."""

    def __init__(self, primary: "Homes", replica: "Replica | None", tokens: "ReadTokens | None") -> None:
        """Read from *replica*, else from *primary*."""
        self._primary = primary
        self._replica = replica
        self._tokens = tokens

    def read[Found](self, app: APIGatewayRestResolver, use: "Callable[[Homes], Found]") -> Found:
        """Return the result of *use*, which only reads, for the current request of *app*.

        *use* may run twice: on the replica, and then on the primary.

        Raises:
            Refusal: the read was refused.
        """
        request = request_of(app)
        organization_id = find_organization(request, caller_of(app))
        if self._replica is None or self._tokens is None or organization_id is None:
            return use(self._primary)
        from tenancy.use_cases.replicas.read_nearest import read_nearest  # noqa: PLC0415 - see above

        marks = self._tokens.find_marks(request.header_values.get(READ_AFTER.lower(), ()), organization_id)
        done = read_nearest(self._primary, self._replica, organization_id, use, marks)
        request.logged[READ_FROM] = "replica" if done.fault is None else "primary"
        if done.fault is not None and (metric := METRICS.get(done.fault)):
            count(metric, {"fault": str(done.fault)})
        return done.found

    def add_token(self, request: Request, caller: Caller, response: Response) -> None:
        """Add the token of a write to its answer.

        It never raises, because the write is done.
        """
        organization_id = find_organization(request, caller)
        if self._tokens is None or organization_id is None or not has_written(request, response):
            return
        try:
            request.answer_headers[READ_AFTER] = self._tokens.mark_write(organization_id, now=datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 - for example a missing right, or a malformed secret
            log_fault(error, request.request_id)
            add_time_token(request, caller, response)


def open_nearest_reads(primary: "Homes", find_url: Callable[[], str], address: tuple[str, int] | None) -> NearestReads:
    """Return reads from the replica at *address*, None without one, and from *primary* at the result of *find_url*."""
    if address is None:
        return NearestReads(primary, None, None)
    from tenancy.stores.postgres.replica import Replica  # noqa: PLC0415 - a stack without a replica loads neither
    from tenancy.use_cases.replicas.read_tokens import ReadTokens  # noqa: PLC0415

    return NearestReads(primary, Replica(find_url, address, primary), ReadTokens(find_url, primary))


def add_time_token(request: Request, _caller: Caller, response: Response) -> None:
    """Add the token of the time to the answer to a write, in a function that reads from no replica."""
    from tenancy.rules.read_tokens import format_time_token  # noqa: PLC0415 - as above

    if has_written(request, response):
        request.answer_headers[READ_AFTER] = format_time_token(datetime.now(UTC))


def has_written(request: Request, response: Response) -> bool:
    """Tell whether an answer says that a change is done."""
    return request.method not in UNCHANGED and response["statusCode"] < HTTPStatus.BAD_REQUEST


def find_organization(request: Request, caller: Caller) -> UUID | None:
    """Return the organization of the caller, or that in the path of an operator's request, None without one."""
    if isinstance(caller, Operator):
        return find_id(request.path_parameters.get(ORGANIZATION_MEMBER) or "")
    return caller.organization_id
