"""An erasure's passes: what each looks at, and that what comes between and beside them is neither lost nor left."""

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
from tests.use_cases.privacy_jobs import always, ask_erasure, ask_export, devices, erasure, export, stores_of, work
from tests.use_cases.storing import count, store
from tests.use_cases.test_erasures import usage

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SUBJECT = "device-1"  # of the events 1, 11, 21, …


def test_what_a_device_sends_hours_later_is_gone_within_a_day(databases: Databases, acme: Provisioned) -> None:
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    for moment in (NOW, NOW + ERASURE_NEXT_PASS_AFTER):
        work(databases, moment)
    for number in (1, 11, 21):
        store(databases, acme.organization.id, [number], at=NOW - MINUTE, written=moment + HOUR)
        assert SUBJECT in devices(databases, acme)
        moment += ERASURE_LATER_PASS_INTERVAL
        assert work(databases, moment).erasures == 1
        assert SUBJECT not in devices(databases, acme)
        moment += ERASURE_NEXT_PASS_AFTER
        assert work(databases, moment).erasures == 1
    found = erasure(databases, acme, erasure_id)
    assert (found.status, found.events_before, found.events_after) == (ErasureStatus.CONFIRMED, 3, 0)


def test_once_a_day_it_is_looked_for_until_it_is_forgotten(databases: Databases, acme: Provisioned) -> None:
    ask_erasure(databases, acme, SUBJECT, NOW)
    moment, passes = NOW, 0
    while moment is not None:
        passes += work(databases, moment).erasures
        with superuser(databases) as conn:
            [(moment,)] = conn.execute("SELECT due_at FROM erasures").fetchall()
    assert passes == 2 + SUBJECT_DIGEST_RETENTION // ERASURE_LATER_PASS_INTERVAL


@pytest.mark.parametrize("received", [NOW - MINUTE, NOW - timedelta(days=60)])
def test_what_is_written_while_a_pass_deletes_is_counted_before_and_in_usage(
    databases: Databases, counters: Redis, acme: Provisioned, received: datetime
) -> None:
    store(databases, acme.organization.id, range(10), at=received)
    store(databases, acme.organization.id, range(10, 20), at=received, written=NOW + MINUTE)
    roll_up(databases.platform, databases.clickhouse, counters, now=received + MINUTE)
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    assert work(databases, NOW).erasures == 0
    assert work(databases, NOW + MINUTE).erasures == 1
    found = erasure(databases, acme, erasure_id)
    assert (found.events_before, found.events_after) == (2, 0)
    assert [(events, users) for _, events, users, _ in usage(databases, acme)] == [(18, 9)]


def test_a_row_that_was_just_written_is_left_to_the_next_try(databases: Databases, acme: Provisioned) -> None:
    """Others that were written beside it may not be visible yet."""
    store(databases, acme.organization.id, range(20), at=NOW - MINUTE)
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)

    def work_quietly(minutes: int) -> PrivacyJobRun:
        stores = stores_of(databases, writer_wait=2 * MINUTE)
        return run_privacy_jobs(stores, has_time=always, clock=lambda: NOW + minutes * MINUTE)

    assert work_quietly(0).erasures == 0
    assert count(databases, acme.organization.id) == 20
    assert work_quietly(1).erasures == 1
    assert (erasure(databases, acme, erasure_id).events_before, count(databases, acme.organization.id)) == (2, 18)


def test_a_pass_that_died_deletes_what_it_had_found_and_then_what_came_since(
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
            work(databases, NOW)
    store(databases, acme.organization.id, [21, 31], at=NOW - MINUTE, written=NOW + MINUTE)
    again = NOW + HOUR
    assert work(databases, again).erasures == 0
    assert work(databases, again + MINUTE).erasures == 1
    found = erasure(databases, acme, erasure_id)
    assert (found.events_before, found.events_after, SUBJECT in devices(databases, acme)) == (4, 0, False)


def test_exports_are_withdrawn_also_where_nothing_is_found_any_more(databases: Databases, acme: Provisioned) -> None:
    exported = ask_export(databases, acme, NOW)
    work(databases, NOW)
    ask_erasure(databases, acme, SUBJECT, NOW)
    work(databases, NOW)
    assert export(databases, acme, exported, NOW)[0].status is ExportStatus.WITHDRAWN
