"""Write queued audit records: reads into the log, refusals into the table that counts them.

An organization that is being erased, or is erased, is an exception: its refusals are written to the log at once, and
without addresses.
"""

import re
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

import msgspec

from tenancy.rules.audit_record import PLATFORM_LOG, AddressedRecord, AuditOutcome
from tenancy.stores.postgres.audit_log import UnwritableRecordError, insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes, transactions_for
from tenancy.stores.postgres.platform.audit_logs import insert_refusal
from tenancy.stores.postgres.platform.deletions import list_erasing

OF_ORGANIZATION: Final = re.compile(r"by organization ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z")


def record_messages(platform_db: Homes, messages: Mapping[str, str]) -> list[str]:
    """Write the records in *messages*, and return the ids of the unwritable messages.

    *messages* are texts by message id. Idempotent: a message that is delivered twice is written once.

    Raises:
        UnavailableError: the database is unreachable. SQS delivers all messages again.
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
    except UnwritableRecordError:  # one of them failed the transaction: write them one by one
        unwritable += [message_id for message_id, record in records.items() if not _is_written(platform_db, record)]
    return unwritable


def _is_written(platform_db: Homes, record: AddressedRecord) -> bool:
    try:
        _write(platform_db, [record])
    except UnwritableRecordError:
        return False
    return True


def _write(platform_db: Homes, records: Collection[AddressedRecord]) -> None:
    """Write records into the home of their actor's organization: each database has a log of the platform."""
    for transaction, own in transactions_for(platform_db, records, _actors_organization):
        with transaction as conn:
            _insert(conn, own)


def _insert(conn: Connection, records: Collection[AddressedRecord]) -> None:
    erasing = list_erasing(conn, [_actors_organization(each) for each in records])
    redacted = [_without_address(each) if _actors_organization(each) in erasing else each for each in records]
    # In one order everywhere: else two runs that write the same records in different orders wait for each other.
    for each in sorted(_merge_refusals(redacted, erasing), key=lambda each: (each.organization_id, each.record.id)):
        if each.record.outcome is AuditOutcome.REFUSED and each.organization_id not in erasing:
            insert_refusal(conn, each)
        else:
            insert_audit_record(conn, each.organization_id, each.record)


def _actors_organization(each: AddressedRecord) -> UUID:
    """Return the organization of the actor.

    In the platform's log the record's target names it (gateway/trail.py).
    """
    found = OF_ORGANIZATION.search(each.record.target) if each.organization_id == PLATFORM_LOG else None
    return UUID(found[1]) if found else each.organization_id


def _without_address(each: AddressedRecord) -> AddressedRecord:
    return replace(each, record=replace(each.record, actor=replace(each.record.actor, source_address="")))


def _merge_refusals(records: Iterable[AddressedRecord], erasing: Container[UUID]) -> Iterable[AddressedRecord]:
    """Merge equal refusals of an organization in *erasing* into one record with a count.

    The table that counts other refusals by the minute does not take these.
    """
    merged: dict[object, AddressedRecord] = {}
    for each in records:
        record = each.record
        is_merged = record.outcome is AuditOutcome.REFUSED and each.organization_id in erasing
        key = (each.organization_id, record.actor.id, record.action, record.target, record.code)
        known = merged.get(key) if is_merged else None
        if known is None:
            merged[key if is_merged else record.id] = each
        else:
            merged[key] = replace(known, record=replace(known.record, count=known.record.count + record.count))
    return merged.values()
