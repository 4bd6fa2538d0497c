"""An organization's audit log: a page of it, and whether it still is what was sealed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

from tenancy.errors import NotFoundError
from tenancy.rules.audit_chain import CHAIN_START, AuditEntry, BrokenLink, ChainLink, Checkpoint, verify_chain
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.cursors import format_cursor, parse_cursor
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.audit_log import (
    AuditSelection,
    count_unsealed,
    find_checkpoint,
    find_head,
    list_entries,
    list_sealed,
)
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.organizations import has_organization

BATCH: Final = 1000
MAX_ENTRIES: Final = 100_000  # of one verification: a few seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """One page of a log, newest first; *next_cursor* is None on the last one."""

    entries: Sequence[AuditEntry]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What became of a log's chain: that it holds after *start* up to *last*, and where it is *broken*.

    *is_complete* says whether *last* is the log's end, or one verification's; *unsealed* records are too young to be in
    the chain.
    """

    checkpoint: Checkpoint | None
    start: ChainLink
    last: ChainLink
    broken: BrokenLink | None
    is_complete: bool
    unsealed: int


def list_audit_entries(
    db: Database, organization_id: UUID, selection: AuditSelection, *, cursor: str | None, limit: int
) -> EntryPage:
    """Return at most *limit* entries after *cursor*, which a page before gave.

    Raises:
        NotFoundError: there is no such organization, hence no log.
        InvalidError: the cursor is none of ours.
        UnavailableError: the database is away.
    """
    before = parse_cursor(cursor) if cursor is not None else None
    with db.tenant_transaction(organization_id) as conn:
        _require_log(conn, organization_id)
        found = list_entries(conn, organization_id, selection, before=before, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return EntryPage(
        entries=found[:limit], next_cursor=format_cursor(last.occurred_at, last.id) if last is not None else None
    )


def verify_audit_log(
    db: Database, signer: Signer, organization_id: UUID, *, after: ChainLink | None = None
) -> Verification:
    """Follow the chain to its head, or for 100,000 entries, and name the first entry that breaks it.

    It starts *after* a link that somebody has kept from an earlier verification, else at the last cut or the beginning.

    Raises:
        NotFoundError: there is no such organization, hence no log.
        UnavailableError: the database or KMS is away.
    """
    with db.tenant_transaction(organization_id, is_snapshot=True) as conn:  # the sweep and the roll-up go on meanwhile
        _require_log(conn, organization_id)
        checkpoint = find_checkpoint(conn, organization_id)
        cut = checkpoint.link if checkpoint else CHAIN_START
        start = after if after and after.sequence >= cut.sequence else cut
        last, broken = verify_chain(start, islice(_sealed(conn, organization_id, start.sequence), MAX_ENTRIES))
        head = find_head(conn, organization_id) or CHAIN_START
        returned = list_sealed(conn, organization_id, after=0, limit=1)
        unsealed = count_unsealed(conn, organization_id)
    if checkpoint is not None and not signer.is_signed(checkpoint.text, checkpoint.signature):
        broken = BrokenLink(sequence=cut.sequence, reason="the checkpoint's signature is not ours")
    elif returned and (returned[0].sequence or 0) <= cut.sequence:
        broken = BrokenLink(sequence=returned[0].sequence or 0, reason="the entry was cut, and has come back")
    is_complete = last.sequence - start.sequence < MAX_ENTRIES or head == last
    if broken is None and is_complete and head != last:
        is_short = last.sequence < head.sequence
        reason = "the log ends before its head" if is_short else "the log's head is not this seal"
        broken = BrokenLink(sequence=last.sequence + is_short, reason=reason)
    return Verification(
        checkpoint=checkpoint, start=start, last=last, broken=broken, is_complete=is_complete, unsealed=unsealed
    )


def _require_log(conn: Connection, organization_id: UUID) -> None:
    if organization_id != PLATFORM_LOG and not has_organization(conn, organization_id):
        raise NotFoundError("There is no such organization.")


def _sealed(conn: Connection, organization_id: UUID, after: int) -> Iterator[AuditEntry]:
    while entries := list_sealed(conn, organization_id, after=after, limit=BATCH):
        yield from entries
        after = entries[-1].sequence or after
