"""The crash tool itself: it finds half-done work, and a crashed process sends nothing."""

from itertools import count
from uuid import uuid4

import pytest

from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import CrashedError, crashes, process
from tests.given import NOW, Databases

HOLDER = uuid4()
COUNT = "SELECT count(*) FROM leases WHERE name LIKE %s"


def take(db: Database, *names: str) -> None:
    with db.transaction() as conn:
        for name in names:
            take_lease(conn, name, HOLDER, now=NOW, ends_at=NOW)


def done_parts(databases: Databases, aftermath: Aftermath, *, transactions: int) -> set[int]:
    """Return how many parts of a work of two parts are done after each crash."""
    numbers = count()

    def work(number: int) -> None:
        parts = [f"{number} one", f"{number} two"]
        for names in [parts] if transactions == 1 else [[part] for part in parts]:
            take(databases.platform, *names)

    found = crashes(lambda: next(numbers), work)
    return {int(aftermath.rows(COUNT, (f"{crash.state} %",))[0][0]) for crash in found}


def test_two_transactions_can_be_left_half_done(databases: Databases, aftermath: Aftermath) -> None:
    assert done_parts(databases, aftermath, transactions=2) == {0, 1, 2}


def test_one_transaction_is_never_left_half_done(databases: Databases, aftermath: Aftermath) -> None:
    assert done_parts(databases, aftermath, transactions=1) == {0, 2}


def test_clean_up_of_a_crashed_process_reaches_no_server(databases: Databases, aftermath: Aftermath) -> None:
    take(databases.platform, "stored")

    with process(max_changes=0) as running:
        with pytest.raises(CrashedError):
            take(databases.platform, "never stored")
        with pytest.raises((CrashedError, RuntimeError)), databases.platform.transaction() as conn:
            delete_lease(conn, "stored", HOLDER)

    assert all("_execute_gen" in call or "fetch" in call for call in running.calls), running.calls
    assert aftermath.rows("SELECT name FROM leases") == [("stored",)]
    take(databases.platform, "another")  # the next process has a connection of its own


def test_the_last_crash_loses_only_the_answer(databases: Databases) -> None:
    found = list(crashes(lambda: None, lambda _: take(databases.platform, "x")))

    assert [crash.is_last for crash in found] == [False] * (len(found) - 1) + [True]
    assert [len(crash.calls) for crash in found] == sorted({len(crash.calls) for crash in found})


def test_a_crash_is_tried_before_each_change_only(databases: Databases) -> None:
    def work(_: object) -> None:
        take(databases.platform, "one", "two")
        with databases.platform.transaction() as conn:
            conn.execute("SELECT count(*) FROM leases")
        take(databases.platform, "three")

    found = list(crashes(lambda: None, work))

    assert ["_commit_gen" in call for call in found[-1].calls].count(True) == 3
    assert len(found) == 4  # before the check of a new connection, before two of three COMMITs, and after the last one
