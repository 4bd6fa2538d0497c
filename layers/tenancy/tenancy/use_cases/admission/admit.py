"""Admit requests in one Redis round trip.

For a tenant, PostgreSQL is read only if Redis lacks the organization's standing or is unreachable
(docs/decisions/0003-one-admission.md). For an operator it is read at each request.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from msgspec import structs

from tenancy.rules.admission import Admission, AdmissionVerdict
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.rate_limit import BLOCK, BLOCKS, RateWindow, count_request, rate_limit_of, rate_state
from tenancy.rules.tenant import Caller, Operator, Tenant
from tenancy.rules.tiers import PLATFORM_REQUESTS_PER_MINUTE
from tenancy.rules.usage import CountedMonth, MonthSoFar
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.counters import (
    UnknownStanding,
    admit_operator,
    admit_tenant,
    cancel_reservation,
    put_standing,
    seed_usage,
)
from tenancy.use_cases.admission.taken_events import TakenEvents

if TYPE_CHECKING:
    from tenancy.stores.postgres.homes import Homes
    from tenancy.use_cases.admission.read_standing import KnownStanding

MAX_WINDOWS: Final = 10_000
ERASED_STATUSES: Final = frozenset({OrganizationStatus.ERASING, OrganizationStatus.ERASED})


class AdmissionGate:
    """Decides on requests.

    While Redis is unreachable, it uses rate windows of this process and the month's usage from PostgreSQL.
    """

    def __init__(self, redis: Redis, db: "Callable[[], Homes]") -> None:
        """Open nothing yet.

        *db* is called only for an operator, or if Redis cannot decide, because it imports PostgreSQL's driver.
        """
        self._redis = redis
        self._db = db
        self._windows: dict[str, RateWindow] = {}
        self._taken = TakenEvents()

    def admit(
        self,
        caller: Caller,
        *,
        events: int = 0,
        ages: Sequence[int] = (),
        all_or_nothing: bool = False,
        now: datetime,
    ) -> Admission:
        """Decide on one request of *caller* with so many *events*, and reserve quota for them.

        *ages* has the age in days of each further event. It counts only if the organization's retention includes it.

        The first events that fit the month's quota are accepted. The next events that fit the grace band are held.
        With *all_or_nothing* either all events fit or none is reserved.

        While Redis is unreachable, the rate limit applies per process, and PostgreSQL decides on revoked and suspended
        callers. The quota of events is compared with the usage of the last roll-up and the events of this process that
        it did not count: events that came later, or were in the queue. So the quota is exceeded by at most the events
        that the last roll-up did not count. The quota of requests is not checked.

        Raises:
            UnavailableError: PostgreSQL is needed and unreachable.
        """
        if isinstance(caller, Operator):
            return self._admit_operator(caller, now)
        try:
            admission = self._admit_tenant(caller, events=events, ages=ages, all_or_nothing=all_or_nothing, now=now)
        except RedisUnreachableError as error:
            admission = self._admit_without_redis(
                caller, events=events, ages=ages, all_or_nothing=all_or_nothing, now=now
            )
            admission = structs.replace(admission, degraded_by=str(error))
        accepted, held = admission.accepted, admission.held
        if accepted + held:
            self._taken.add(caller.organization_id, accepted=accepted, held=held, at=now)
        return admission

    def cancel(self, tenant: Tenant, admission: Admission, *, reserved_at: datetime) -> None:
        """Return the reserved quota of an *admission*.

        If Redis is unreachable, the roll-up corrects the counter.
        """
        accepted, held = admission.accepted, admission.held
        if not accepted + held:
            return
        self._taken.cancel(tenant.organization_id, accepted=accepted, held=held, at=reserved_at)
        if admission.degraded_by:
            return
        with suppress(RedisUnreachableError):
            cancel_reservation(
                self._redis,
                tenant.organization_id,
                accepted=accepted,
                held=held,
                reserved_at=reserved_at,
            )

    def _admit_operator(self, operator: Operator, now: datetime) -> Admission:
        """Decide on a request of a platform key.

        PostgreSQL is asked for the key at each request that the rate limit admits. So a revoked or expired key is
        refused at its next request, also if it was changed by hand (docs/decisions/0045-credential-look-ups.md).
        """
        try:
            admission = self._count_operator(operator, now)
        except RedisUnreachableError as error:
            admission = structs.replace(self._count_operator_here(operator, now), degraded_by=str(error))
        if admission.verdict is AdmissionVerdict.ADMITTED and not self._is_live(operator, now):
            return structs.replace(admission, verdict=AdmissionVerdict.UNAUTHENTICATED, rate=None)
        return admission

    def _count_operator(self, operator: Operator, now: datetime) -> Admission:
        admission = admit_operator(self._redis, PLATFORM_LOG, operator.credential_id, now=now)
        if isinstance(admission, UnknownStanding):
            raise RedisUnreachableError("evicted")
        return admission

    def _count_operator_here(self, operator: Operator, now: datetime) -> Admission:
        limit, name = PLATFORM_REQUESTS_PER_MINUTE, str(operator.credential_id)
        rate = rate_state(self._window(PLATFORM_LOG, name, limit=limit, block=BLOCK, now=now), limit=limit, now=now)
        verdict = AdmissionVerdict.RATE_LIMITED if rate.is_exceeded else AdmissionVerdict.ADMITTED
        return Admission(verdict=verdict, rate=rate)

    def _admit_tenant(
        self, tenant: Tenant, *, events: int, ages: Sequence[int], all_or_nothing: bool, now: datetime
    ) -> Admission:
        def admit() -> Admission | UnknownStanding:
            return admit_tenant(
                self._redis,
                tenant.organization_id,
                tenant.bucket,
                credential=(tenant.credential_id, tenant.epoch),
                events=events,
                ages=ages,
                all_or_nothing=all_or_nothing,
                now=now,
            )

        admission = admit()
        if isinstance(admission, UnknownStanding):
            known = self._read_standing(tenant)
            if known is None:
                return Admission(verdict=AdmissionVerdict.UNAUTHENTICATED, rate=None)
            if known.standing.status in ERASED_STATUSES:  # no new keys in Redis, and no usage queries
                return self._admit_by_standing(tenant, known, now=now)
            self._seed(tenant, known, now)
            admission = admit()
        if isinstance(admission, UnknownStanding):  # evicted, or flushed, right after it was seeded
            raise RedisUnreachableError("evicted")
        return admission

    def _seed(self, tenant: Tenant, known: "KnownStanding", now: datetime) -> None:
        """Write the standing and the month's usage from PostgreSQL to Redis.

        The standing is read again after it was written. A change may have been published between the first read and the
        write, and Redis may have forgotten it (docs/decisions/0055-credential-state.md).
        """
        self._put_standing(tenant, known)
        again, month = self._read_again(tenant, now)
        if again is not None and again != known:
            self._put_standing(tenant, again)
        seed_usage(self._redis, tenant.organization_id, month.so_far, now=now)

    def _put_standing(self, tenant: Tenant, known: "KnownStanding") -> None:
        credential = tenant.credential_id, known.credential
        put_standing(self._redis, tenant.organization_id, known.standing, credential=credential)

    def _read_standing(self, tenant: Tenant) -> "KnownStanding | None":
        from tenancy.use_cases.admission.read_standing import read_standing  # noqa: PLC0415 - with the database's driver

        return read_standing(self._db(), tenant)

    def _read_again(self, tenant: Tenant, now: datetime) -> "tuple[KnownStanding | None, CountedMonth]":
        from tenancy.use_cases.admission.read_standing import (  # noqa: PLC0415 - with the database's driver
            read_standing_and_month,
        )

        return read_standing_and_month(self._db(), tenant, now=now)

    def _read_month(self, tenant: Tenant, now: datetime) -> CountedMonth:
        from tenancy.use_cases.admission.read_standing import read_month  # noqa: PLC0415 - with the database's driver

        return read_month(self._db(), tenant, now=now)

    def _is_live(self, operator: Operator, now: datetime) -> bool:
        from tenancy.use_cases.admission.check_platform_key import is_live  # noqa: PLC0415 - with the database's driver

        return is_live(self._db(), operator, now=now)

    def _admit_without_redis(
        self, caller: Tenant, *, events: int, ages: Sequence[int], all_or_nothing: bool, now: datetime
    ) -> Admission:
        known = self._read_standing(caller)
        if known is None:
            return Admission(verdict=AdmissionVerdict.UNAUTHENTICATED, rate=None)
        admission = self._admit_by_standing(caller, known, now=now)
        retention_days = known.standing.entitlements.quotas.data_retention_days
        events += sum(age <= retention_days for age in ages)
        if events and admission.verdict is AdmissionVerdict.ADMITTED:
            admission = admission.with_events(events, self._month_so_far(caller, now), all_or_nothing=all_or_nothing)
        return admission

    def _month_so_far(self, tenant: Tenant, now: datetime) -> MonthSoFar:
        """Return the usage of the last roll-up plus the events of this process that it did not count."""
        month = self._read_month(tenant, now)
        accepted, held = self._taken.sum_uncounted(tenant.organization_id, month, now=now)
        so_far = month.so_far
        return replace(so_far, events=so_far.events + accepted, held=so_far.held + held)

    def _admit_by_standing(self, caller: Tenant, known: "KnownStanding", *, now: datetime) -> Admission:
        """Decide by the standing from PostgreSQL and the rate windows of this process."""
        if not known.admits(caller.epoch, now=now):
            return Admission(verdict=AdmissionVerdict.UNAUTHENTICATED, rate=None)
        standing = known.standing
        limit, bucket = rate_limit_of(standing.entitlements, caller.bucket), caller.bucket
        window = self._window(caller.organization_id, bucket, limit=limit, block=BLOCKS[bucket], now=now)
        rate = rate_state(window, limit=limit, now=now)
        verdict = (
            AdmissionVerdict.ADMITTED if standing.status is OrganizationStatus.ACTIVE else AdmissionVerdict.INACTIVE
        )
        verdict = AdmissionVerdict.RATE_LIMITED if rate.is_exceeded else verdict
        return Admission(
            verdict=verdict,
            rate=rate,
            entitlements=standing.entitlements,
            status=standing.status,
        )

    def _window(self, organization_id: UUID, bucket: str, *, limit: int, block: timedelta, now: datetime) -> RateWindow:
        if len(self._windows) >= MAX_WINDOWS:
            self._windows.clear()
        name = f"{organization_id}:{bucket}"
        self._windows[name] = window = count_request(self._windows.get(name), limit=limit, block=block, now=now)
        return window
