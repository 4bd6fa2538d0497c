"""The hourly run: the roll-up, and the steps before and after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.aws.register import Register
from tenancy.stores.aws.signer import Signer
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.audit.prune_audit import prune_audit_logs
from tenancy.use_cases.deletion.restore_tombstones import restore_tombstones
from tenancy.use_cases.held_events.release_held import release_into_room
from tenancy.use_cases.homes.require_finished_moves import require_finished_moves
from tenancy.use_cases.keys.register_platform_keys import register_platform_keys
from tenancy.use_cases.schedule.apply_retention import apply_retention
from tenancy.use_cases.schedule.check_custom_domains import FindCertificates, check_custom_domains
from tenancy.use_cases.schedule.check_domains import DomainChecks, check_domains
from tenancy.use_cases.schedule.failures import collect_failures
from tenancy.use_cases.schedule.notice_rotations import RotationNotices, notice_rotations
from tenancy.use_cases.schedule.persist_last_uses import persist_last_uses
from tenancy.use_cases.schedule.roll_up import RollUp, roll_up


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyStores:
    """The stores of an hourly run.

    *client* returns the connected ClickHouse client.
    """

    platform_db: Database
    client: Callable[[], Client]
    redis: Redis
    signer: Signer
    register: Register
    fetcher: Fetcher
    find_certificates: FindCertificates


@dataclass(slots=True, kw_only=True)
class HourlyRun:
    """The results of an hourly run.

    *organizations_cleaned* is None if retention was applied earlier this month. *last_uses_persisted* is None if Redis
    is unreachable. A failed or skipped step leaves its default. The caller must raise the *failures*.
    """

    roll_up: RollUp
    tombstones_restored: Sequence[UUID]
    events_released: int = 0
    organizations_cleaned: int | None = None
    audit_entries_pruned: int = 0
    last_uses_persisted: int | None = None
    rotations: RotationNotices = field(default_factory=RotationNotices)
    domains: DomainChecks = field(default_factory=DomainChecks)
    custom_domains: DomainChecks = field(default_factory=DomainChecks)
    failures: list[Exception] = field(default_factory=list)


def run_hourly(
    stores: HourlyStores,
    *,
    now: datetime,
    on_roll_up: Callable[[RollUp, Sequence[UUID]], None],
    has_time: Callable[[], bool],
) -> HourlyRun:
    """Restore tombstones and roll up, then run the steps that follow.

    *on_roll_up* gets the roll-up and the restored tombstones before the other steps start. Those steps are independent:
    a step that fails does not stop the others. If another roll-up is running, the steps that need its counts are
    skipped. Checks of domains, which may be slow, come last and start while *has_time* is true.

    Raises:
        UnavailableError, ClickHouseError: tombstones or roll-up failed. No other step was tried.
    """
    platform_db, client, redis = stores.platform_db, stores.client(), stores.redis
    restored = restore_tombstones(platform_db, client)
    rolled_up = roll_up(platform_db, client, redis, now=now)
    on_roll_up(rolled_up, restored)
    run = HourlyRun(roll_up=rolled_up, tombstones_restored=restored)
    if rolled_up.ran:
        with collect_failures(run.failures):
            held, usage = rolled_up.held, rolled_up.usage
            run.events_released = release_into_room(platform_db, client, redis, held, usage, now=now)
        with collect_failures(run.failures):
            run.organizations_cleaned = apply_retention(platform_db, client, now=now)
    with collect_failures(run.failures):
        run.audit_entries_pruned = prune_audit_logs(platform_db, stores.signer, now=now)
    with collect_failures(run.failures):
        run.last_uses_persisted = persist_last_uses(platform_db, redis)
    with collect_failures(run.failures):
        run.rotations = notice_rotations(platform_db, now=now)
        run.failures += run.rotations.failures
    with collect_failures(run.failures):
        register_platform_keys(platform_db, stores.register, now=now)
    with collect_failures(run.failures):
        require_finished_moves(platform_db, now=now)
    with collect_failures(run.failures):
        run.domains = check_domains(platform_db, stores.fetcher, now=now, has_time=has_time)
        run.failures += run.domains.failures
    with collect_failures(run.failures):
        run.custom_domains = check_custom_domains(
            platform_db, stores.fetcher, stores.find_certificates, now=now, has_time=has_time
        )
        run.failures += run.custom_domains.failures
    return run
