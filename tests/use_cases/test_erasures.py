"""An erasure removes one data subject of one organization from events, statistics and usage."""

from datetime import timedelta
from itertools import count as count_up
from typing import Any

import pytest

from tenancy.errors import NotFoundError
from tenancy.rules.durations import ERASURE_NEXT_PASS_AFTER, PRIVACY_JOB_CLAIM_TIME, SUBJECT_DIGEST_RETENTION
from tenancy.rules.erasures import ErasureStatus
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.privacy import erase_subject
from tenancy.use_cases.schedule.apply_retention import apply_retention
from tenancy.use_cases.schedule.privacy_jobs import run_privacy_jobs
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW
from tests.use_cases.privacy_jobs import ask_erasure, devices, erasure, run_jobs, stores_of, unlimited_time
from tests.use_cases.storing import count, store

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SUBJECT = "device-1"  # of the events 1, 11, 21, …
USAGE = """
    SELECT metric_date, events_count, unique_users_count, storage_bytes FROM tenant_usage
    WHERE organization_id = %s AND (events_count > 0 OR unique_users_count > 0 OR storage_bytes > 0)
    ORDER BY metric_date
"""
STATISTICS = """
    SELECT event_date, sum(events), uniqMerge(devices) FROM daily_statistics FINAL
    WHERE organization_id = {id:UUID} GROUP BY event_date ORDER BY event_date
"""
RUNS = """
    SELECT uniqExact(run), sum(events), uniqMerge(devices) FROM daily_statistics WHERE organization_id = {id:UUID}
"""


def usage(databases: Databases, provisioned: Provisioned) -> list[tuple[Any, ...]]:
    with superuser(databases) as conn:
        return conn.execute(USAGE, (provisioned.organization.id,)).fetchall()


def statistics(databases: Databases, provisioned: Provisioned) -> list[tuple[Any, ...]]:
    rows = databases.clickhouse.query(STATISTICS, parameters={"id": str(provisioned.organization.id)}).result_rows
    return [tuple(row) for row in rows]


def test_device_is_erased_in_one_organization_only(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(20), at=NOW)
        store(databases, provisioned.organization.id, range(20, 30), at=NOW, table="held_events", reason="quota")

    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)

    asked = erasure(databases, acme, erasure_id)
    assert (asked.status, asked.events_after) == (ErasureStatus.PENDING, None)
    assert run_jobs(databases, NOW).erasures == 1

    erased = erasure(databases, acme, erasure_id)
    assert (erased.status, erased.erased_at) == (ErasureStatus.ERASED, NOW)
    assert (erased.events_before, erased.events_after) == (2, 0)
    assert (erased.held_events_before, erased.held_events_after) == (1, 0)

    for table, left in (("events", 18), ("held_events", 9)):
        assert SUBJECT not in devices(databases, acme, table)
        assert count(databases, acme.organization.id, table) == left
        assert SUBJECT in devices(databases, globex, table)

    assert (count(databases, globex.organization.id), count(databases, globex.organization.id, "held_events")) == (
        20,
        10,
    )


@pytest.mark.parametrize("settled", [True, False])
def test_statistics_and_usage_match_the_remaining_rows(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned, *, settled: bool
) -> None:
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(20), at=NOW)
        store(databases, provisioned.organization.id, [31], at=NOW - DAY)
    if settled:
        roll_up(databases.platform, databases.clickhouse, counters, now=NOW)
    before = usage(databases, globex), statistics(databases, globex)
    ask_erasure(databases, acme, SUBJECT, NOW)
    run_jobs(databases, NOW + MINUTE)

    if not settled:
        roll_up(databases.platform, databases.clickhouse, counters, now=NOW + 2 * MINUTE)

    [(day, events, users, size)] = usage(databases, acme)
    assert (day, events, users, size > 0) == (NOW.date(), 18, 9, True)
    assert [(day, events, users) for day, events, users in statistics(databases, acme)] == [(NOW.date(), 18, 9)]
    if settled:
        assert (usage(databases, globex), statistics(databases, globex)) == before


def test_device_hashes_leave_every_run_of_the_statistics(
    databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(20), at=NOW)
    for hours in range(3):
        roll_up(databases.platform, databases.clickhouse, counters, now=NOW + timedelta(hours=hours))
    later = NOW + timedelta(hours=3)
    ask_erasure(databases, acme, SUBJECT, later)

    run_jobs(databases, later)

    runs = databases.clickhouse.query(RUNS, parameters={"id": str(acme.organization.id)}).result_rows
    assert runs == [(1, 18, 9)]


def test_two_subjects_of_one_day_leave_no_hash(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    store(databases, acme.organization.id, [2, 12], at=NOW, event_name="of one")
    store(databases, acme.organization.id, range(3, 9), at=NOW)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    for name in ("device-3", "device-2"):
        ask_erasure(databases, acme, name, NOW)

    assert run_jobs(databases, NOW + MINUTE).erasures == 2

    runs = databases.clickhouse.query(RUNS, parameters={"id": str(acme.organization.id)}).result_rows
    assert runs == [(1, 5, 5)]


def test_worker_with_a_slow_clock_replaces_newer_statistics(
    databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(20), at=NOW)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW + 5 * MINUTE)
    ask_erasure(databases, acme, SUBJECT, NOW)

    run_jobs(databases, NOW)

    runs = databases.clickhouse.query(RUNS, parameters={"id": str(acme.organization.id)}).result_rows
    assert runs == [(1, 18, 9)]
    assert [(events, users) for _, events, users in statistics(databases, acme)] == [(18, 9)]


def test_each_erasure_has_its_own_times(databases: Databases, acme: Provisioned) -> None:
    store(databases, acme.organization.id, range(20), at=NOW)
    erasures = [ask_erasure(databases, acme, name, NOW) for name in ("device-1", "device-2")]
    moments = (NOW + number * timedelta(seconds=1) for number in count_up())

    run_privacy_jobs(stores_of(databases), has_time=unlimited_time, clock=lambda: next(moments))

    erased = [erasure(databases, acme, erasure_id).erased_at for erasure_id in erasures]
    assert len({NOW, *erased}) == 3
    with superuser(databases) as conn:
        assert conn.execute("SELECT due_at - erased_at FROM erasures").fetchall() == [(ERASURE_NEXT_PASS_AFTER,)] * 2


def test_second_pass_replaces_statistics_of_a_late_roll_up(
    databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(20), at=NOW)
    ask_erasure(databases, acme, SUBJECT, NOW)
    run_jobs(databases, NOW)
    # A roll-up read these rows before the pass and writes their statistics after it.
    store(databases, acme.organization.id, [1, 11], at=NOW)

    roll_up(databases.platform, databases.clickhouse, counters, now=NOW + MINUTE)

    assert [(events, users) for _, events, users in statistics(databases, acme)] == [(20, 10)]

    databases.clickhouse.command(
        "ALTER TABLE events DELETE WHERE device_id = {name:String}",
        parameters={"name": SUBJECT},
        settings={"mutations_sync": 2},
    )

    run_jobs(databases, NOW + ERASURE_NEXT_PASS_AFTER)

    assert [(events, users) for _, events, users in statistics(databases, acme)] == [(18, 9)]
    assert usage(databases, acme)[0][1:3] == (18, 9)


def test_closed_month_loses_only_the_erased_events(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    received, now = NOW - 60 * DAY, NOW
    store(databases, acme.organization.id, range(20), at=received)
    store(databases, acme.organization.id, range(20, 30), at=received, happened=NOW - 100 * DAY)

    roll_up(databases.platform, databases.clickhouse, counters, now=received + MINUTE)

    assert usage(databases, acme)[0][1:3] == (30, 10)

    apply_retention(databases.platform, databases.clickhouse, now=now)
    assert count(databases, acme.organization.id) == 20

    ask_erasure(databases, acme, SUBJECT, now)
    run_jobs(databases, now)

    assert usage(databases, acme)[0][1:3] == (28, 9)

    run_jobs(databases, now + ERASURE_NEXT_PASS_AFTER)
    assert usage(databases, acme)[0][1:3] == (28, 9)


def test_queued_events_are_erased_and_later_events_are_kept(
    databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    run_jobs(databases, NOW)
    store(databases, acme.organization.id, range(10), at=NOW - MINUTE, written=NOW + MINUTE)
    late = NOW + ERASURE_NEXT_PASS_AFTER
    store(databases, acme.organization.id, [21], at=late)

    roll_up(databases.platform, databases.clickhouse, counters, now=NOW + 2 * MINUTE)

    assert run_jobs(databases, late - MINUTE).erasures == 0

    for status, passes in ((ErasureStatus.ERASED, 1), (ErasureStatus.CONFIRMED, 2)):
        assert run_jobs(databases, NOW + passes * ERASURE_NEXT_PASS_AFTER).erasures == 1
        found = erasure(databases, acme, erasure_id)
        assert (found.status, found.events_before, found.events_after) == (status, 1, 0)

    assert count(databases, acme.organization.id) == 10
    assert SUBJECT in devices(databases, acme)


def test_held_event_released_after_the_request_is_erased(databases: Databases, acme: Provisioned) -> None:
    ask_erasure(databases, acme, SUBJECT, NOW)
    store(databases, acme.organization.id, range(10), at=NOW + MINUTE, happened=NOW - MINUTE)

    run_jobs(databases, NOW + 2 * MINUTE)

    assert SUBJECT not in devices(databases, acme)


def test_erasure_is_confirmed_and_its_digest_deleted(databases: Databases, acme: Provisioned) -> None:
    store(databases, acme.organization.id, range(20), at=NOW)
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)

    for moment in (
        NOW,
        NOW + ERASURE_NEXT_PASS_AFTER,
        NOW + SUBJECT_DIGEST_RETENTION,
        NOW + 2 * SUBJECT_DIGEST_RETENTION,
    ):
        run_jobs(databases, moment)

    assert erasure(databases, acme, erasure_id).confirmed_at == NOW + ERASURE_NEXT_PASS_AFTER

    with superuser(databases) as conn:
        kept = conn.execute("SELECT salt, digest, found, due_at FROM erasures").fetchall()
        records = conn.execute("SELECT action, target FROM audit_log WHERE action LIKE 'erasure.%' ORDER BY action")
        assert records.fetchall() == [("erasure.done", str(erasure_id)), ("erasure.requested", str(erasure_id))]

    assert kept == [(None, None, {}, None)]


def test_redelivered_events_are_erased_before_digest_expires(databases: Databases, acme: Provisioned) -> None:
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    for moment in (NOW, NOW + ERASURE_NEXT_PASS_AFTER):
        run_jobs(databases, moment)
    store(databases, acme.organization.id, range(10), at=NOW - MINUTE, written=NOW + 14 * DAY)

    for moment in (NOW + SUBJECT_DIGEST_RETENTION, NOW + SUBJECT_DIGEST_RETENTION + ERASURE_NEXT_PASS_AFTER):
        assert run_jobs(databases, moment).erasures == 1

    found = erasure(databases, acme, erasure_id)
    assert (found.status, found.events_before, found.events_after) == (ErasureStatus.CONFIRMED, 1, 0)
    assert count(databases, acme.organization.id) == 9
    assert run_jobs(databases, NOW + 3 * SUBJECT_DIGEST_RETENTION).erasures == 0


@pytest.mark.parametrize(
    "step", ["delete_subject", "replace_statistics", "count_subject", "withdraw_exports", "update_days"]
)
def test_crashed_pass_is_repeated_without_double_counts(
    databases: Databases, counters: Redis, acme: Provisioned, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store(databases, acme.organization.id, range(20), at=NOW)
    store(databases, acme.organization.id, range(20), at=NOW - 60 * DAY)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW - 59 * DAY)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    whole = getattr(erase_subject, step)

    def die(*arguments: object, **keywords: object) -> None:
        whole(*arguments, **keywords)
        raise ArithmeticError

    with monkeypatch.context() as patch:
        patch.setattr(erase_subject, step, die)
        with pytest.raises(ArithmeticError):
            run_jobs(databases, NOW)

    assert run_jobs(databases, NOW + MINUTE).erasures == 0  # the claim of the crashed worker is still valid
    assert run_jobs(databases, NOW + PRIVACY_JOB_CLAIM_TIME).erasures == 1

    found = erasure(databases, acme, erasure_id)
    assert (found.events_before, found.events_after) == (4, 0)
    assert [(events, users) for _, events, users, _ in usage(databases, acme)] == [(18, 9), (18, 9)]
    assert [(events, users) for _, events, users in statistics(databases, acme)] == [(18, 9), (18, 9)]


def test_erasure_of_another_organization_is_not_found(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)

    with pytest.raises(NotFoundError):
        erasure(databases, globex, erasure_id)
