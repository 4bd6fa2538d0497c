"""Decide on a request: in one Redis round trip; when Redis does not know, or is away, with PostgreSQL's help."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tenancy.rules.admission import Admission, AdmissionVerdict
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.rate_limit import RateWindow, count_request, rate_state
from tenancy.rules.standing import LIVE, REVOKED
from tenancy.rules.tenant import Caller, Operator, Tenant
from tenancy.rules.tiers import PLATFORM_REQUESTS_PER_MINUTE, QUOTAS
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.counters import (
    UnknownStanding,
    admit_operator,
    admit_tenant,
    cancel_reservation,
    put_standing,
    seed_usage,
)

if TYPE_CHECKING:
    from tenancy.stores.postgres.client import Database
    from tenancy.use_cases.admission.read_standing import KnownStanding

MAX_WINDOWS: Final = 10_000
ENDING: Final = frozenset({OrganizationStatus.ERASING, OrganizationStatus.ERASED})


class AdmissionGate:
    """Decides on requests; while Redis is away, by the rate windows of this process."""

    def __init__(self, redis: Redis, db: "Callable[[], Database]") -> None:
        """*db* is asked for only where Redis does not know, so that its driver need not be imported before."""
        self._redis = redis
        self._db = db
        self._windows: dict[str, RateWindow] = {}

    def admit(self, caller: Caller, *, events: int = 0, all_or_nothing: bool = False, now: datetime) -> Admission:
        """Decide on one request of *caller* that brings so many *events*, and reserve quota for them.

        The first events that fit the month's quota are accepted, the next that fit the grace band are held;
        *is_whole* takes all of them or none. While Redis is away the limit holds for this process, quotas are not
        asked, and PostgreSQL says who is revoked or suspended.

        Raises:
            UnavailableError: PostgreSQL is needed, and away as well.
        """
        try:
            if isinstance(caller, Operator):
                return self._admit_operator(caller, now)
            return self._admit_tenant(caller, events=events, all_or_nothing=all_or_nothing, now=now)
        except RedisUnreachableError as error:
            return replace(self._admit_alone(caller, events=events, now=now), degraded_by=str(error))

    def cancel(self, tenant: Tenant, admission: Admission, *, reserved_at: datetime) -> None:
        """Give back the events of an *admission* that were not taken after all; without Redis the roll-up does."""
        if admission.degraded_by or not admission.accepted + admission.held:
            return
        with suppress(RedisUnreachableError):
            cancel_reservation(
                self._redis,
                tenant.organization_id,
                accepted=admission.accepted,
                held=admission.held,
                reserved_at=reserved_at,
            )

    def _admit_operator(self, operator: Operator, now: datetime) -> Admission:
        admission = admit_operator(self._redis, PLATFORM_LOG, operator.credential_id, now=now)
        if isinstance(admission, UnknownStanding):
            raise RedisUnreachableError("evicted")
        return admission

    def _admit_tenant(self, tenant: Tenant, *, events: int, all_or_nothing: bool, now: datetime) -> Admission:
        def ask() -> Admission | UnknownStanding:
            return admit_tenant(
                self._redis,
                tenant.organization_id,
                tenant.bucket,
                credential=(tenant.credential_id, tenant.epoch),
                events=events,
                all_or_nothing=all_or_nothing,
                now=now,
            )

        admission = ask()
        if isinstance(admission, UnknownStanding):
            known = self._read_standing(tenant)
            if known is None:
                return Admission(verdict=AdmissionVerdict.UNAUTHENTICATED, rate=None)
            if known.standing.status in ENDING:  # nothing is left behind in Redis, and little asked of PostgreSQL
                return self._admit_known(tenant, known, events=events, now=now)
            self._seed(tenant, known, now)
            admission = ask()
        if isinstance(admission, UnknownStanding):  # evicted, or flushed, right after it was seeded
            raise RedisUnreachableError("evicted")
        return admission

    def _seed(self, tenant: Tenant, known: "KnownStanding", now: datetime) -> None:
        """Tell Redis what PostgreSQL knows."""
        so_far = self._read_month_so_far(tenant, now)
        credential = tenant.credential_id, known.credential
        put_standing(self._redis, tenant.organization_id, known.standing, credential=credential)
        seed_usage(self._redis, tenant.organization_id, so_far, now=now)

    def _read_standing(self, tenant: Tenant) -> "KnownStanding | None":
        from tenancy.use_cases.admission.read_standing import read_standing  # noqa: PLC0415 - with the database's driver

        return read_standing(self._db(), tenant)

    def _read_month_so_far(self, tenant: Tenant, now: datetime) -> MonthSoFar:
        from tenancy.use_cases.admission.read_standing import read_month_so_far  # noqa: PLC0415 - with the database's driver

        return read_month_so_far(self._db(), tenant, now=now)

    def _admit_alone(self, caller: Caller, *, events: int, now: datetime) -> Admission:
        """Decide without Redis: nothing is lost and nobody locked out, and the roll-up counts what came from rows."""
        if isinstance(caller, Operator):
            window = self._window(PLATFORM_LOG, str(caller.credential_id), PLATFORM_REQUESTS_PER_MINUTE, now)
            rate = rate_state(window, limit=PLATFORM_REQUESTS_PER_MINUTE, now=now)
            verdict = AdmissionVerdict.RATE_LIMITED if rate.is_exceeded else AdmissionVerdict.ADMITTED
            return Admission(verdict=verdict, rate=rate)
        known = self._read_standing(caller)
        if known is None:
            return Admission(verdict=AdmissionVerdict.UNAUTHENTICATED, rate=None)
        return self._admit_known(caller, known, events=events, now=now)

    def _admit_known(self, caller: Tenant, known: "KnownStanding", *, events: int, now: datetime) -> Admission:
        """Decide by what PostgreSQL knows, and the rate windows of this process."""
        if not _is_valid(caller, known):
            return Admission(verdict=AdmissionVerdict.UNAUTHENTICATED, rate=None)
        standing = known.standing
        limit = QUOTAS[standing.tier].api_requests_per_minute
        rate = rate_state(self._window(caller.organization_id, caller.bucket, limit, now), limit=limit, now=now)
        verdict = (
            AdmissionVerdict.ADMITTED if standing.status is OrganizationStatus.ACTIVE else AdmissionVerdict.INACTIVE
        )
        verdict = AdmissionVerdict.RATE_LIMITED if rate.is_exceeded else verdict
        return Admission(
            verdict=verdict,
            rate=rate,
            tier=standing.tier,
            status=standing.status,
            accepted=events if verdict is AdmissionVerdict.ADMITTED else 0,
        )

    def _window(self, organization_id: UUID, bucket: str, limit: int, now: datetime) -> RateWindow:
        if len(self._windows) >= MAX_WINDOWS:
            self._windows.clear()
        name = f"{organization_id}:{bucket}"
        self._windows[name] = window = count_request(self._windows.get(name), limit=limit, now=now)
        return window


def _is_valid(tenant: Tenant, known: "KnownStanding") -> bool:
    """Whether a credential still is what the authorizer saw."""
    expected = "" if known.credential == LIVE else f"{known.standing.epoch}.{known.credential}"
    return known.credential != REVOKED and tenant.epoch == expected
