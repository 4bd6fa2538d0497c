"""Queue -> ClickHouse: the frames of a batch in one insert, and the one that spoils it set aside with its error.

What is on its way for an organization that is being erased is dropped (architecture, decision 7).
"""

import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tenancy.errors import UnavailableError
from tenancy.rules.events.frames import TABLES, EventTable, Frame
from tenancy.stores.aws.dead_letters import DeadLetters
from tenancy.stores.clickhouse.client import ClickHouseError, Client, DatabaseError
from tenancy.stores.clickhouse.platform.events import insert_frames
from tenancy.stores.clickhouse.platform.tombstones import list_tombstones

# What ClickHouse says of rows that it will never take (src/Common/ErrorCodes.cpp). Any other error may pass, so the
# message stays in the queue.
DATA_ERRORS: Final[Mapping[int | None, str]] = MappingProxyType(
    {
        6: "CANNOT_PARSE_TEXT",
        26: "CANNOT_PARSE_QUOTED_STRING",
        27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
        38: "CANNOT_PARSE_DATE",
        41: "CANNOT_PARSE_DATETIME",
        53: "TYPE_MISMATCH",
        69: "ARGUMENT_OUT_OF_BOUND",
        70: "CANNOT_CONVERT_TYPE",
        72: "CANNOT_PARSE_NUMBER",
        117: "INCORRECT_DATA",
        130: "CANNOT_READ_ARRAY_FROM_TEXT",
        131: "TOO_LARGE_STRING_SIZE",
        271: "CANNOT_DECOMPRESS",
        376: "CANNOT_PARSE_UUID",
        407: "DECIMAL_OVERFLOW",
        561: "ZSTD_DECODER_FAILED",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedFrame:
    """A message of the events' queue; *text* is the frame's, see `events.frames`.

    *organization_id* is a UUID's text; empty for what ingest did not send, which is set aside.
    """

    message_id: str
    organization_id: str
    table: EventTable
    text: str


class PoisonError(Exception):
    """The frame itself is at fault: sending it again would fail again."""


def load_frames(connect: Callable[[], Client], dead_letters: DeadLetters, messages: Sequence[QueuedFrame]) -> list[str]:
    """Store the rows of *messages* and return the ids of those that must be delivered again.

    A message that ClickHouse will never take is put among the dead letters, with the error, and counts as done.

    Raises:
        UnavailableError, AwsCallError: poison cannot be set aside; all messages come again.
    """
    try:
        client = connect()
        ended = list_tombstones(client, (message.organization_id for message in messages if message.organization_id))
    except (UnavailableError, ClickHouseError):
        return [message.message_id for message in messages]
    again: list[str] = []
    for table in TABLES:
        of_table = [each for each in messages if each.table == table and each.organization_id not in ended]
        if not of_table:
            continue
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
    if not all(message.organization_id for message in messages):
        raise PoisonError("The message names no organization.")
    try:
        frames = [Frame(message.text, 0).bytes for message in messages]
    except (binascii.Error, ValueError) as error:
        raise PoisonError("The message is not base64.") from error
    token = hashlib.sha256(b"".join(frames)).hexdigest()
    try:
        insert_frames(client, table, frames, token=token)
    except DatabaseError as error:
        if error.code in DATA_ERRORS:
            raise PoisonError(f"ClickHouse error {error.code} {DATA_ERRORS[error.code]}") from error
        raise
