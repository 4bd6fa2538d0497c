"""Leases that the cut-over of a move waits for, before it closes the fence.

The target cannot open after the commit while its roll-up runs. A release of the organization's held events has its
lease in the source only. So a second release could start in the target.
"""

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from scripts.move.databases import Connection
from scripts.move.errors import MoveError

# As the use cases name them (tests/moves/test_leases.py). Their modules import ClickHouse's client.
ROLL_UP: Final = "roll_up"
RELEASE: Final = "release {}"
IS_HELD: Final = "SELECT EXISTS (SELECT FROM leases WHERE name = %s AND ends_at > now())"
PATIENCE_SECONDS: Final = 7200.0  # longer than the lease of a roll-up or a release that died
PAUSE_SECONDS: Final = 1.0


def is_rolling_up(conn: Connection) -> bool:
    """Tell whether a roll-up of the database runs, or has died and its lease has not ended."""
    return conn.execute(IS_HELD, (ROLL_UP,)).fetchone() == (True,)


def is_releasing(conn: Connection, organization_id: UUID) -> bool:
    """Tell whether held events of the organization are released in the database."""
    return conn.execute(IS_HELD, (RELEASE.format(organization_id),)).fetchone() == (True,)


def await_leases(source: Connection, target: Connection, organization_id: UUID, say: Callable[[str], None]) -> None:
    """Wait for a roll-up of the target, and for a release of the organization in the source.

    Raises:
        MoveError: a roll-up or a release does not end in time.
    """
    await_end(lambda: is_rolling_up(target), "the roll-up of the target", say)
    await_end(lambda: is_releasing(source, organization_id), "a release of held events", say)


def await_end(is_held: Callable[[], bool], work: str, say: Callable[[str], None]) -> None:
    """Wait until *is_held* is false.

    *work* is the name of the holder of the lease, for messages.

    Raises:
        MoveError: *is_held* stays true.
    """
    deadline, is_told = time.monotonic() + PATIENCE_SECONDS, False
    while is_held():
        if time.monotonic() > deadline:
            raise MoveError(f"The move waits for {work}, which does not end. Run the same command again.")
        if not is_told:
            say(f"   waiting for {work}")
            is_told = True
        time.sleep(PAUSE_SECONDS)
