"""Limiters in workers, one process each, as functions run: ours, and those of other authors.

All workers of a burst send at once, each one request after the other.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Final
from uuid import UUID

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from scripts.bench.peers.node import programs
from scripts.bench.requests import MILLISECONDS
from scripts.bench.tenants import no_database
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.entitlements import Entitlements
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.standing import LIVE, Standing
from tenancy.rules.tenant import CallerKind, Tenant
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import put_standing, seed_usage
from tenancy.use_cases.admission.admit import AdmissionGate

PATIENCE_SECONDS: Final = 10.0  # a pause of the machine is measured, not taken for Redis being away

type IsAdmitted = Callable[[], bool]
type Consumer = Callable[[str, int], IsAdmitted]  # from the key and the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """The requests of all workers together: how many were admitted, and the time of each."""

    admitted: int
    milliseconds: Sequence[float]


type Run = Callable[[str, int, int], Burst]  # from the key, the limit, and the requests of each worker


@contextmanager
def our_workers(url: str, count: int) -> Iterator[Run]:
    """Yield a function that runs a burst of admissions."""

    def consumer(key: str, _limit: int) -> IsAdmitted:
        redis = Redis(lambda: url, timeout_seconds=PATIENCE_SECONDS)
        redis.connect()
        gate, tenant = AdmissionGate(redis, no_database), _tenant(UUID(key))
        return lambda: gate.admit(tenant, now=datetime.now(UTC)).verdict is AdmissionVerdict.ADMITTED

    with _workers(consumer, count) as run:

        def prepared(key: str, limit: int, requests: int) -> Burst:
            _make_known(url, UUID(key), limit)
            return run(key, limit, requests)

        yield prepared


@contextmanager
def limits_workers(url: str, count: int) -> Iterator[Run]:
    """Yield a function that runs a burst of the package limits, with a moving window."""

    def consumer(key: str, limit: int) -> IsAdmitted:
        limiter = MovingWindowRateLimiter(RedisStorage(url))
        item = RateLimitItemPerMinute(limit)
        return lambda: limiter.hit(item, key)

    with _workers(consumer, count) as run:
        yield run


@contextmanager
def flexible_workers(url: str, count: int) -> Iterator[Run]:
    """Yield a function that runs a burst of rate-limiter-flexible on Node."""
    with programs("limiter", {"REDIS_URL": url}, count=count) as running:
        pipes = [(program.stdin, program.stdout) for program in running if program.stdin and program.stdout]

        def run(key: str, limit: int, requests: int) -> Burst:
            for given, _ in pipes:
                given.write(json.dumps({"key": key, "limit": limit, "requests": requests}) + "\n")
                given.flush()
            answers = [json.loads(answered.readline()) for _, answered in pipes]
            return Burst(
                admitted=sum(answer["admitted"] for answer in answers),
                milliseconds=list(chain.from_iterable(answer["milliseconds"] for answer in answers)),
            )

        yield run


@contextmanager
def _workers(consumer: Consumer, count: int) -> Iterator[Run]:
    """Yield a function that runs a burst in *count* forked processes."""
    forks = get_context("fork")
    pipes: list[Connection] = []
    with ExitStack() as ending:
        for _ in range(count):
            ours, theirs = forks.Pipe()
            process = forks.Process(target=_work, args=(consumer, theirs), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            ending.callback(process.join)
            ending.callback(ours.send, None)

        def run(key: str, limit: int, requests: int) -> Burst:
            for step in ((key, limit), requests):  # all have connected before one begins
                for pipe in pipes:
                    pipe.send(step)
                answers = [pipe.recv() for pipe in pipes]
            return Burst(
                admitted=sum(admitted for admitted, _ in answers),
                milliseconds=list(chain.from_iterable(milliseconds for _, milliseconds in answers)),
            )

        yield run


def _work(consumer: Consumer, pipe: Connection) -> None:
    """Run bursts until the pipe says that there are no more."""
    while (named := pipe.recv()) is not None:
        is_admitted = consumer(*named)
        pipe.send(None)
        pipe.send(_consume(is_admitted, pipe.recv()))


def _consume(is_admitted: IsAdmitted, requests: int) -> tuple[int, list[float]]:
    admitted, milliseconds = 0, []
    for _ in range(requests):
        started = perf_counter()
        admitted += is_admitted()
        milliseconds.append(MILLISECONDS * (perf_counter() - started))
    return admitted, milliseconds


def _tenant(organization_id: UUID) -> Tenant:
    return Tenant(
        organization_id=organization_id,
        subdomain="acme",
        scopes=PERMISSIONS,
        credential_id=organization_id,
        kind=CallerKind.KEY,
    )


def _make_known(url: str, organization_id: UUID, limit: int) -> None:
    """Store the standing of an organization that may send *limit* requests a minute."""
    redis, now = Redis(lambda: url, timeout_seconds=PATIENCE_SECONDS), datetime.now(UTC)
    standing = Standing(
        entitlements=Entitlements(tier=Tier.ENTERPRISE, overrides={"api_requests_per_minute": limit}),
        status=OrganizationStatus.ACTIVE,
        epoch=0,
        version=1,
    )
    put_standing(redis, organization_id, standing, credential=(organization_id, LIVE))
    seed_usage(redis, organization_id, MonthSoFar(events=0, held=0, storage_bytes=0), now=now)
    redis.close()
