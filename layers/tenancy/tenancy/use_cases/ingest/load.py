"""Load queued frames into ClickHouse, in one insert per table.

Invalid messages are moved to the dead-letter queue. Events of an organization with a tombstone are dropped.
Reasons: docs/decisions/0005-ingest-never-waits-for-clickhouse.md.
"""

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

# ClickHouse's error codes for rows that it never accepts (src/Common/ErrorCodes.cpp). Any other error may be temporary,
# so the message stays in the queue.
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
    """A message of the event queue.

    *text* is the frame in base64 (`rules/events/frames.py`). *organization_id* is the text of a UUID. It is empty if
    the message names no organization. Such a message is poison. *carried* are the attributes that a dead letter keeps.
    """

    message_id: str
    organization_id: str
    table: EventTable
    text: str
    carried: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFrames:
    """The result of one delivery: the messages whose events are *stored*, and the ids that SQS must deliver again.

    Messages that were dropped or moved to the dead letters are in neither.
    """

    stored: Sequence[QueuedFrame]
    given_back: Sequence[str]


class PoisonError(Exception):
    """The frame itself is invalid: another delivery would fail again."""


def load_frames(
    connect: Callable[[], Client], dead_letters: DeadLetters, messages: Sequence[QueuedFrame]
) -> LoadedFrames:
    """Store the rows of *messages*.

    A message that ClickHouse never accepts is moved to the dead-letter queue with its error.

    Raises:
        UnavailableError, AwsCallError: the dead-letter queue is unreachable. SQS delivers all messages again.
    """
    try:
        client = connect()
        erased = list_tombstones(client, (message.organization_id for message in messages if message.organization_id))
    except (UnavailableError, ClickHouseError):
        return LoadedFrames(stored=[], given_back=[message.message_id for message in messages])
    stored: list[QueuedFrame] = []
    given_back: list[str] = []
    for table in TABLES:
        of_table = [each for each in messages if each.table == table and each.organization_id not in erased]
        if not of_table:
            continue
        try:
            _insert(client, table, of_table)
            stored.extend(of_table)
        except PoisonError:
            loaded = _load_one_by_one(client, dead_letters, of_table)
            stored.extend(loaded.stored)
            given_back.extend(loaded.given_back)
        except ClickHouseError:
            given_back.extend(message.message_id for message in of_table)
    return LoadedFrames(stored=stored, given_back=given_back)


def _load_one_by_one(client: Client, dead_letters: DeadLetters, messages: Sequence[QueuedFrame]) -> LoadedFrames:
    stored: list[QueuedFrame] = []
    given_back: list[str] = []
    for message in messages:
        try:
            _insert(client, message.table, [message])
            stored.append(message)
        except PoisonError as error:
            dead_letters.send(
                message.organization_id, message.table, message.text, error=str(error), carried=message.carried
            )
        except ClickHouseError:
            given_back.append(message.message_id)
    return LoadedFrames(stored=stored, given_back=given_back)


def _insert(client: Client, table: EventTable, messages: Sequence[QueuedFrame]) -> None:
    """Insert the frames in one insert, which ClickHouse deduplicates.

    The token is the SHA-256 of the frames' bytes. The bytes contain the organization ids, so two organizations never
    have the same token.

    Raises:
        PoisonError: a frame is invalid. Nothing was inserted.
        ClickHouseError: ClickHouse is unreachable. The rows may be stored.
    """
    if not all(message.organization_id for message in messages):
        raise PoisonError("The message names no organization.")
    try:
        frames = [Frame(message.text, 0).bytes for message in messages]
    except ValueError as error:
        raise PoisonError("The message is not base64.") from error
    token = hashlib.sha256(b"".join(frames)).hexdigest()
    try:
        insert_frames(client, table, frames, token=token)
    except DatabaseError as error:
        if error.code in DATA_ERRORS:
            raise PoisonError(f"ClickHouse error {error.code} {DATA_ERRORS[error.code]}") from error
        raise
