"""Audit queue -> log: reads as they come, refusals by way of the table where their minute is counted.

Of an organization that is being erased, or was, refusals go straight to the log, which keeps no addresses then.
"""

from collections.abc import Collection, Mapping

import msgspec

from tenancy.audit import Addressed, Outcome
from tenancy.stores.audit import UnwritableRecordError, insert_record
from tenancy.stores.platform.audit import insert_refusal
from tenancy.stores.platform.deletions import list_ending
from tenancy.stores.postgres import Database


def record_messages(platform_db: Database, messages: Mapping[str, str]) -> list[str]:
    """Write the records in *messages* (texts by message id) and return the ids of those that the log cannot hold.

    A message that comes twice is written once.

    Raises:
        UnavailableError: the database is away; all messages come again.
    """
    records: dict[str, Addressed] = {}
    unwritable: list[str] = []
    for message_id, text in messages.items():
        try:
            records[message_id] = msgspec.json.decode(text, type=Addressed)
        except msgspec.DecodeError:
            unwritable.append(message_id)
    try:
        _write(platform_db, records.values())
    except UnwritableRecordError:
        unwritable += [each for each, record in records.items() if not _is_written(platform_db, record)]
    return unwritable


def _is_written(platform_db: Database, record: Addressed) -> bool:
    try:
        _write(platform_db, [record])
    except UnwritableRecordError:
        return False
    return True


def _write(platform_db: Database, records: Collection[Addressed]) -> None:
    with platform_db.transaction() as conn:
        ending = list_ending(conn, [each.organization_id for each in records])
        for each in records:
            if each.record.outcome is Outcome.REFUSED and each.organization_id not in ending:
                insert_refusal(conn, each)
            else:
                insert_record(conn, each.organization_id, each.record)
