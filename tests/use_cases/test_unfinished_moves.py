"""A move that is unfinished after a day makes the hourly run fail."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tenancy.rules.durations import LONGEST_MOVE
from tenancy.rules.homes import MOVE_PREFIX
from tenancy.use_cases.homes.require_finished_moves import UnfinishedMovesError, require_finished_moves
from tests.given import Databases
from tests.handlers.functions import superuser

ACME, MOVE = UUID("0193f6a2-9e52-4d0b-b2a1-7c8e5f6d4b32"), UUID("0193f6a2-9e52-4d0b-b2a1-7c8e5f6d4b33")
NAME = f"{MOVE_PREFIX}{MOVE.hex}"
NOW = datetime.now(UTC)
SECOND = timedelta(seconds=1)
MARK = "INSERT INTO moved_organizations VALUES (%s, %s, 'second', %s, %s)"


@pytest.fixture
def publication(databases: Databases) -> Iterator[None]:
    """Publish rows as a move does until its end."""
    with superuser(databases) as conn:
        conn.execute(f"CREATE PUBLICATION {NAME}".encode())
        yield
        conn.execute(f"DROP PUBLICATION {NAME}".encode())


def mark(databases: Databases, state: str) -> None:
    with superuser(databases) as conn:
        conn.execute(MARK, (ACME, state, MOVE, NOW))


def require_report(databases: Databases) -> None:
    require_finished_moves(databases.platform, now=NOW + LONGEST_MOVE)
    with pytest.raises(UnfinishedMovesError, match=rf"24 hours: {ACME}\. Run: python -m scripts\.move complete"):
        require_finished_moves(databases.platform, now=NOW + LONGEST_MOVE + SECOND)


def test_move_without_its_commit_is_reported_after_a_day(databases: Databases) -> None:
    mark(databases, "incoming")

    require_report(databases)


@pytest.mark.usefixtures("publication")
def test_committed_move_without_its_end_is_reported_after_a_day(databases: Databases) -> None:
    mark(databases, "moved")

    require_report(databases)


def test_finished_move_is_not_reported(databases: Databases) -> None:
    mark(databases, "moved")

    require_finished_moves(databases.platform, now=NOW + 2 * LONGEST_MOVE)
