"""Admission: the round trip to Redis that precedes every request."""

import sys
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from redis import Redis as Client

from scripts.bench.events import ORGANIZATION_ID
from scripts.bench.figure import Comparison, Effort, Figure, alternate
from scripts.bench.tenants import no_database, redis_knowing
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.tenant import CallerKind, RateBucket, Tenant
from tenancy.use_cases.admission.admit import AdmissionGate

EVENTS: Final = 100
MILLISECONDS: Final = 1_000
TENANT: Final = Tenant(
    organization_id=ORGANIZATION_ID,
    subdomain="acme",
    scopes=PERMISSIONS,
    credential_id=uuid4(),
    kind=CallerKind.KEY,
    bucket=RateBucket.INGEST,
)


def measure(effort: Effort) -> Figure:
    """Measure with the stack's Valkey, in a database of its own."""
    with redis_knowing(TENANT) as (redis, bare):
        admissions = AdmissionGate(redis, no_database)
        comparisons = [
            _compare("a request", 0, admissions, bare, effort),
            _compare(f"with {EVENTS} events", EVENTS, admissions, bare, effort),
        ]
    return Figure(
        name="admission",
        unit="milliseconds by the clock, less is better",
        measured="AdmissionGate.admit of a tenant that Redis knows, in this process: one round trip that decides on "
        f"credential, rate limit and quotas. With {EVENTS} events, these are reserved as well. Valkey is the stack's "
        "and shares this machine; on AWS the network comes on top, for both.",
        reference="a bare redis-py ping() of the same Valkey, over a connection that is open",
        comparisons=comparisons,
    )


def _compare(what: str, events: int, admissions: AdmissionGate, bare: Client, effort: Effort) -> Comparison:
    def admit() -> None:
        admission = admissions.admit(TENANT, events=events, now=datetime.now(UTC))
        if admission.verdict is not AdmissionVerdict.ADMITTED or admission.accepted != events:
            sys.exit(f"not admitted as a whole: {admission}")

    return alternate(
        what,
        effort,
        lambda: MILLISECONDS * effort.clock_seconds(admit),
        lambda: MILLISECONDS * effort.clock_seconds(bare.ping),
    )
