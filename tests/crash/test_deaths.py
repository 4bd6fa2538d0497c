"""The tool that kills finds what is done by halves, and what it kills is dead."""

from itertools import count
from uuid import uuid4

import pytest

from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease
from tests.crash.aftermath import Aftermath
from tests.crash.deaths import Killed, deaths, process
from tests.given import NOW, Databases

HOLDER = uuid4()
COUNT = "SELECT count(*) FROM leases WHERE name LIKE %s"


def take(db: Database, *names: str) -> None:
    with db.transaction() as conn:
        for name in names:
            take_lease(conn, name, HOLDER, now=NOW, ends_at=NOW)


def left_by(databases: Databases, aftermath: Aftermath, *, all_or_nothing: bool) -> set[int]:
    """Return how much of a work of two parts there is after each death."""
    numbers = count(start=1000 if all_or_nothing else 1)

    def work(number: int) -> None:
        parts = [f"{number} one", f"{number} two"]
        for names in [parts] if all_or_nothing else [[part] for part in parts]:
            take(databases.platform, *names)

    every = deaths(lambda: next(numbers), work)
    return {int(aftermath.rows(COUNT, (f"{death.state} %",))[0][0]) for death in every}


def test_two_transactions_are_found_half_done_and_one_is_not(databases: Databases, aftermath: Aftermath) -> None:
    assert left_by(databases, aftermath, all_or_nothing=False) == {0, 1, 2}
    assert left_by(databases, aftermath, all_or_nothing=True) == {0, 2}


def test_what_a_dead_process_cleans_up_does_not_reach_the_world(databases: Databases, aftermath: Aftermath) -> None:
    take(databases.platform, "kept")
    with process(lives_for=1) as ran:
        with pytest.raises(Killed):
            take(databases.platform, "never")
        with pytest.raises((Killed, RuntimeError)), databases.platform.transaction() as conn:
            delete_lease(conn, "kept", HOLDER)
    assert len(ran.calls) == 1
    assert aftermath.rows("SELECT name FROM leases") == [("kept",)]
    take(databases.platform, "another")  # the next process has a connection of its own


def test_the_last_of_all_dies_when_only_its_answer_is_lost(databases: Databases) -> None:
    every = list(deaths(lambda: None, lambda _: take(databases.platform, "x")))
    assert [death.is_last for death in every] == [False] * (len(every) - 1) + [True]
    assert [len(death.calls) for death in every] == list(range(len(every)))
