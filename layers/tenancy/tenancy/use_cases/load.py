"""Queue -> ClickHouse: the frames of a batch in one insert, and the one that spoils it set aside with its error."""

import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tenancy.events.frames import EventTable, Frame
from tenancy.stores.clickhouse import ClickHouseError, Client, DatabaseError
from tenancy.stores.dead_letters import DeadLetters
from tenancy.stores.platform.events import insert_frames

# What ClickHouse says of rows that it will never take, by error code (src/Common/ErrorCodes.cpp). Any other error
# may pass, so the message stays in the queue.
DATA_ERRORS: Final = frozenset({6, 26, 27, 38, 41, 53, 62, 69, 70, 72, 117, 131, 321, 376, 407, 547, 559, 561, 574})


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedFrame:
    """A message of the events' queue; *text* is the frame's, see `events.frames`."""

    message_id: str
    organization_id: str
    table: EventTable
    text: str


class PoisonError(Exception):
    """The frame itself is at fault: sending it again would fail again."""


def load_frames(client: Client, dead_letters: DeadLetters, messages: Sequence[QueuedFrame]) -> list[str]:
    """Store the rows of *messages* and return the ids of those that must be delivered again.

    A message that ClickHouse will never take is put among the dead letters, with the error, and counts as done.
    """
    again: list[str] = []
    for table in sorted({message.table for message in messages}):
        of_table = [message for message in messages if message.table == table]
        try:
            _insert(client, table, of_table)
        except PoisonError:
            again.extend(_load_one_by_one(client, dead_letters, of_table))
        except ClickHouseError:
            again.extend(message.message_id for message in of_table)
    return again


def _load_one_by_one(client: Client, dead_letters: DeadLetters, messages: Sequence[QueuedFrame]) -> list[str]:
    again: list[str] = []
    for message in messages:
        try:
            _insert(client, message.table, [message])
        except PoisonError as error:
            dead_letters.send(message.organization_id, message.table, message.text, error=str(error))
        except ClickHouseError:
            again.append(message.message_id)
    return again


def _insert(client: Client, table: EventTable, messages: Sequence[QueuedFrame]) -> None:
    """Insert once: the token is the digest of the exact bytes, organization ids included."""
    try:
        frames = [Frame(message.text, 0).bytes for message in messages]
    except (binascii.Error, ValueError) as error:
        raise PoisonError("The message is not base64.") from error
    token = hashlib.sha256(b"".join(frames)).hexdigest()
    try:
        insert_frames(client, table, frames, token=token)
    except DatabaseError as error:
        if error.code in DATA_ERRORS:
            raise PoisonError(f"ClickHouse error {error.code}") from error
        raise
