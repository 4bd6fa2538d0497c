"""The passes of an erasure find rows that were written before, beside and after them."""

from datetime import datetime, timedelta

import pytest

from tenancy.rules.durations import ERASURE_LATER_PASS_INTERVAL, ERASURE_NEXT_PASS_AFTER, SUBJECT_DIGEST_RETENTION
from tenancy.rules.erasures import ErasureStatus
from tenancy.rules.exports import ExportStatus
from tenancy.stores.clickhouse.platform.subjects import delete_subject
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.privacy import erase_subject
from tenancy.use_cases.schedule.privacy_jobs import PrivacyJobRun, run_privacy_jobs
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW
from tests.use_cases.privacy_jobs import (
    ask_erasure,
    ask_export,
    devices,
    erasure,
    export,
    run_jobs,
    stores_of,
    unlimited_time,
)
from tests.use_cases.storing import count, store
from tests.use_cases.test_erasures import usage

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SUBJECT = "device-1"  # of the events 1, 11, 21, …


def test_late_events_of_a_subject_are_erased_within_a_day(databases: Databases, acme: Provisioned) -> None:
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    for moment in (NOW, NOW + ERASURE_NEXT_PASS_AFTER):
        run_jobs(databases, moment)

    for number in (1, 11, 21):
        store(databases, acme.organization.id, [number], at=NOW - MINUTE, written=moment + HOUR)

        assert SUBJECT in devices(databases, acme)

        moment += ERASURE_LATER_PASS_INTERVAL

        assert run_jobs(databases, moment).erasures == 1
        assert SUBJECT not in devices(databases, acme)

        moment += ERASURE_NEXT_PASS_AFTER
        assert run_jobs(databases, moment).erasures == 1

    found = erasure(databases, acme, erasure_id)
    assert (found.status, found.events_before, found.events_after) == (ErasureStatus.CONFIRMED, 3, 0)


def test_subject_is_searched_daily_until_its_digest_expires(databases: Databases, acme: Provisioned) -> None:
    ask_erasure(databases, acme, SUBJECT, NOW)
    moment, passes = NOW, 0

    while moment is not None:
        passes += run_jobs(databases, moment).erasures
        with superuser(databases) as conn:
            [(moment,)] = conn.execute("SELECT due_at FROM erasures").fetchall()

    assert passes == 2 + SUBJECT_DIGEST_RETENTION // ERASURE_LATER_PASS_INTERVAL


@pytest.mark.parametrize("received", [NOW - MINUTE, NOW - timedelta(days=60)])
def test_rows_written_during_a_pass_are_counted_as_erased(
    databases: Databases, counters: Redis, acme: Provisioned, received: datetime
) -> None:
    store(databases, acme.organization.id, range(10), at=received)
    store(databases, acme.organization.id, range(10, 20), at=received, written=NOW + MINUTE)
    roll_up(databases.platform, databases.clickhouse, counters, now=received + MINUTE)

    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)

    assert run_jobs(databases, NOW).erasures == 0
    assert run_jobs(databases, NOW + MINUTE).erasures == 1

    found = erasure(databases, acme, erasure_id)
    assert (found.events_before, found.events_after) == (2, 0)
    assert [(events, users) for _, events, users, _ in usage(databases, acme)] == [(18, 9)]


def test_pass_waits_for_rows_that_were_just_written(databases: Databases, acme: Provisioned) -> None:
    """Rows of concurrent inserts may not be visible yet."""
    store(databases, acme.organization.id, range(20), at=NOW - MINUTE)
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)

    def run_after_minutes(minutes: int) -> PrivacyJobRun:
        stores = stores_of(databases, writer_wait=2 * MINUTE)
        return run_privacy_jobs(stores, has_time=unlimited_time, clock=lambda: NOW + minutes * MINUTE)

    assert run_after_minutes(0).erasures == 0
    assert count(databases, acme.organization.id) == 20
    assert run_after_minutes(1).erasures == 1
    assert (erasure(databases, acme, erasure_id).events_before, count(databases, acme.organization.id)) == (2, 18)


def test_pass_is_tried_again_when_the_rows_are_old_enough(databases: Databases, acme: Provisioned) -> None:
    store(databases, acme.organization.id, range(20), at=NOW)
    ask_erasure(databases, acme, SUBJECT, NOW)
    wait = timedelta(seconds=10)

    def run_at(now: datetime) -> PrivacyJobRun:
        return run_privacy_jobs(stores_of(databases, writer_wait=wait), has_time=unlimited_time, clock=lambda: now)

    assert run_at(NOW + wait / 2).erasures == 0
    assert run_at(NOW + wait).erasures == 0
    assert run_at(NOW + wait / 2 + wait).erasures == 1


def test_repeated_pass_erases_found_rows_and_later_ones(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(databases, acme.organization.id, range(20), at=NOW)
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)

    def die(*arguments: object, **keywords: object) -> None:
        delete_subject(*arguments, **keywords)  # type: ignore[arg-type]
        raise ArithmeticError

    with monkeypatch.context() as patch:
        patch.setattr(erase_subject, "delete_subject", die)
        with pytest.raises(ArithmeticError):
            run_jobs(databases, NOW)

    store(databases, acme.organization.id, [21, 31], at=NOW - MINUTE, written=NOW + MINUTE)

    again = NOW + HOUR
    assert run_jobs(databases, again).erasures == 0
    assert run_jobs(databases, again + MINUTE).erasures == 1

    found = erasure(databases, acme, erasure_id)
    assert (found.events_before, found.events_after, SUBJECT in devices(databases, acme)) == (4, 0, False)


def test_erasure_without_rows_still_withdraws_exports(databases: Databases, acme: Provisioned) -> None:
    export_id = ask_export(databases, acme, NOW)
    run_jobs(databases, NOW)
    ask_erasure(databases, acme, SUBJECT, NOW)

    run_jobs(databases, NOW)

    assert export(databases, acme, export_id, NOW)[0].status is ExportStatus.WITHDRAWN
