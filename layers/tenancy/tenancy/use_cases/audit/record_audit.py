"""Audit queue -> log: reads as they come, refusals by way of the table where their minute is counted.

Of an organization that is being erased, or was, refusals go straight to the log, which keeps no addresses then.
"""

import re
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

import msgspec

from tenancy.rules.audit_record import PLATFORM_LOG, AddressedRecord, AuditOutcome
from tenancy.stores.postgres.audit_log import UnwritableRecordError, insert_audit_record
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.audit_logs import insert_refusal
from tenancy.stores.postgres.platform.deletions import list_erasing

OF_ORGANIZATION: Final = re.compile(r"by organization ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$")


def record_messages(platform_db: Database, messages: Mapping[str, str]) -> list[str]:
    """Write the records in *messages* (texts by message id) and return the ids of those that the log cannot hold.

    A message that comes twice is written once.

    Raises:
        UnavailableError: the database is away; all messages come again.
    """
    records: dict[str, AddressedRecord] = {}
    unwritable: list[str] = []
    for message_id, text in messages.items():
        try:
            records[message_id] = msgspec.json.decode(text, type=AddressedRecord)
        except msgspec.DecodeError:
            unwritable.append(message_id)
    try:
        _write(platform_db, records.values())
    except UnwritableRecordError:
        unwritable += [each for each, record in records.items() if not _is_written(platform_db, record)]
    return unwritable


def _is_written(platform_db: Database, record: AddressedRecord) -> bool:
    try:
        _write(platform_db, [record])
    except UnwritableRecordError:
        return False
    return True


def _write(platform_db: Database, records: Collection[AddressedRecord]) -> None:
    with platform_db.transaction() as conn:
        ending = list_erasing(conn, [_whose(each) for each in records])
        for each in _counted([_without_address(each) if _whose(each) in ending else each for each in records], ending):
            if each.record.outcome is AuditOutcome.REFUSED and each.organization_id not in ending:
                insert_refusal(conn, each)
            else:
                insert_audit_record(conn, each.organization_id, each.record)


def _whose(each: AddressedRecord) -> UUID:
    """Return whose the actor is: of a mismatch in the platform's log the target says it (gateway/trail.py)."""
    found = OF_ORGANIZATION.search(each.record.target) if each.organization_id == PLATFORM_LOG else None
    return UUID(found[1]) if found else each.organization_id


def _without_address(each: AddressedRecord) -> AddressedRecord:
    return replace(each, record=replace(each.record, actor=replace(each.record.actor, source_address="")))


def _counted(records: Iterable[AddressedRecord], ending: Container[UUID]) -> Iterable[AddressedRecord]:
    """Count alike refusals of one organization that ends as one: they are not held back for their minute."""
    counted: dict[object, AddressedRecord] = {}
    for each in records:
        record = each.record
        is_alike = record.outcome is AuditOutcome.REFUSED and each.organization_id in ending
        key = (each.organization_id, record.actor.id, record.action, record.target, record.code)
        known = counted.get(key) if is_alike else None
        if known is None:
            counted[key if is_alike else record.id] = each
        else:
            counted[key] = replace(known, record=replace(known.record, count=known.record.count + record.count))
    return counted.values()
