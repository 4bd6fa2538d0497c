"""Audit queue -> log: reads as they come, refusals by way of the table where their minute is counted."""

from collections.abc import Mapping

import msgspec

from tenancy.audit import Addressed, Outcome
from tenancy.stores.audit import insert_record
from tenancy.stores.platform.audit import insert_refusal
from tenancy.stores.postgres import Database


def record_messages(platform_db: Database, messages: Mapping[str, str]) -> list[str]:
    """Write the records in *messages* (texts by message id) and return the ids of those that are none.

    All are written in one transaction, and a message that comes twice is written once.

    Raises:
        UnavailableError: the database is away; nothing was written, all messages come again.
    """
    records: list[Addressed] = []
    malformed: list[str] = []
    for message_id, text in messages.items():
        try:
            records.append(msgspec.json.decode(text, type=Addressed))
        except msgspec.DecodeError:
            malformed.append(message_id)
    with platform_db.transaction() as conn:
        for each in records:
            if each.record.outcome is Outcome.REFUSED:
                insert_refusal(conn, each)
            else:
                insert_record(conn, each.organization_id, each.record)
    return malformed
