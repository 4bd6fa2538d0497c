"""Log-in: a refusal takes as long for an unknown member or organization as for a known one."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from statistics import median
from time import perf_counter
from typing import Final
from uuid import UUID, uuid4

from pydantic import SecretStr

from scripts.bench.databases import Servers, own_databases, own_valkey
from scripts.bench.figure import Effort, Figure, alternate
from tenancy.errors import UnauthenticatedError
from tenancy.rules.audit_record import Actor
from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.people.sessions import SessionMember
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import hash_password, insert_provisioned, prepare_organization
from tenancy.use_cases.sessions.attempts import AttemptCounter
from tenancy.use_cases.sessions.log_in import LogIn, log_in

TRIES: Final = 200  # of each side, over all rounds
MILLISECONDS: Final = 1_000
REDIS_SECONDS: Final = 5.0
EMAIL: Final = "admin@acme.example"
WRONG: Final = "a wrong password of some length"
OPERATOR: Final = Actor(kind=CallerKind.OPERATOR, id=uuid4(), request_id="bench", source_address="203.0.113.10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The stores of the figure, with one organization."""

    db: Database
    attempts: AttemptCounter
    organization_id: UUID


def measure(effort: Effort) -> Figure:
    """Measure with the stack's PostgreSQL and Valkey, in databases of its own."""
    tries = effort.size(max(1, TRIES // effort.rounds))
    with _deployed() as deployed:
        numbers = count()

        def refused(organization_id: UUID, email: str) -> Callable[[], float]:
            return lambda: (
                MILLISECONDS
                * median(_seconds(deployed, organization_id, email, number) for number in islice(numbers, tries))
            )

        known = refused(deployed.organization_id, EMAIL)
        comparisons = [
            alternate("unknown member", effort, refused(deployed.organization_id, "nobody@acme.example"), known),
            alternate("unknown organization", effort, refused(uuid4(), EMAIL), known),
        ]
    return Figure(
        name="log_in",
        unit="milliseconds by the clock, the median of a round. The ratio should be between 0.9 and 1.1",
        measured="log_in that is refused, because the member or the organization is unknown",
        reference="log_in of a known member that is refused, because the password is wrong",
        comparisons=comparisons,
        notes=[f"Each side is tried {tries * effort.rounds} times, each time from another address."],
    )


def _seconds(deployed: Deployment, organization_id: UUID, email: str, number: int) -> float:
    """Return the time of one refused log-in.

    Each log-in has an address of its own, so that none exceeds the number of attempts.
    """
    asked = LogIn(
        organization_id=organization_id,
        email=email,
        password=WRONG,
        request_id="bench",
        source_address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
    )
    started = perf_counter()
    try:
        log_in(deployed.db, deployed.attempts, _sign, asked, now=datetime.now(UTC))
    except UnauthenticatedError:
        return perf_counter() - started
    sys.exit("a wrong password was accepted")


@contextmanager
def _deployed() -> Iterator[Deployment]:
    servers = Servers.load()
    with own_databases(servers) as databases, own_valkey(servers.redis_url) as url:
        redis = Redis(lambda: url, timeout_seconds=REDIS_SECONDS)
        with closing(redis):
            attempts = AttemptCounter(redis=redis, count_uncounted=_stop)
            organization_id = _provision(databases.platform)
            yield Deployment(db=databases.platform, attempts=attempts, organization_id=organization_id)


def _provision(db: Database) -> UUID:
    new = NewOrganization(
        name="Acme",
        subdomain="acme",
        admin_email=EMAIL,
        admin_password=SecretStr("correct horse battery staple"),
    )
    now = datetime.now(UTC)
    provisioned = prepare_organization(uuid4(), new, now=now)
    with db.tenant_transaction(provisioned.organization.id) as conn:
        insert_provisioned(conn, provisioned, hash_password(new), OPERATOR, now=now)
    return provisioned.organization.id


def _stop() -> None:
    sys.exit("Redis did not answer in time.")


def _sign(member: SessionMember, session_id: UUID, *, now: datetime) -> str:
    sys.exit(f"session {session_id} of {member.user_id} was started at {now}")
