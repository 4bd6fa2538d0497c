"""Read an organization's audit log: one page of it, and the verification of its chain."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

from tenancy.errors import NotFoundError
from tenancy.rules.audit_chain import CHAIN_START, AuditEntry, BrokenLink, ChainLink, Checkpoint, verify_chain
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.cursors import Page, PagedList, TimePosition
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.audit_log import (
    AuditSelection,
    count_unsealed,
    find_checkpoint,
    find_head,
    list_entries,
    list_sealed,
)
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.organizations import has_organization

BATCH: Final = 1000
MAX_ENTRIES: Final = 100_000  # per verification: a few seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of a verification: the chain holds after *start* up to *last*.

    *broken* is the first entry that breaks it, or None. *is_complete* tells that *last* is the end of the log, and not
    only the limit of one verification. *unsealed* records are too new to be in the chain.
    """

    checkpoint: Checkpoint | None
    start: ChainLink
    last: ChainLink
    broken: BrokenLink | None
    is_complete: bool
    unsealed: int


def list_audit_entries(
    db: Homes, organization_id: UUID, selection: AuditSelection, *, cursor: str | None, limit: int
) -> Page[AuditEntry]:
    """Return at most *limit* entries of *selection* after *cursor*, newest first.

    Raises:
        NotFoundError: there is no such organization.
        InvalidError: the cursor is invalid.
        UnavailableError: the database is unreachable.
    """
    log = PagedList(name="audit log", organization_id=organization_id, position=TimePosition, parameters=(selection,))
    before = log.find_position(cursor)
    with db.tenant_transaction(organization_id) as conn:
        _require_log(conn, organization_id)
        entries = list_entries(conn, organization_id, selection, before=before, limit=limit + 1)
    return Page.of(entries, limit, lambda each: log.format_cursor(TimePosition.of(each.occurred_at, each.id)))


def verify_audit_log(
    db: Homes, signer: Signer, organization_id: UUID, *, after: ChainLink | None = None
) -> Verification:
    """Follow the chain to its head, or for 100,000 entries, up to the first broken entry.

    The verification starts *after* a link that an earlier verification returned. Without one it starts at the last
    checkpoint or at the beginning.

    Raises:
        NotFoundError: there is no such organization.
        UnavailableError: the database or KMS is unreachable.
    """
    with db.tenant_transaction(organization_id, is_snapshot=True) as conn:  # sweep and roll-up write meanwhile
        _require_log(conn, organization_id)
        checkpoint = find_checkpoint(conn, organization_id)
        cut = checkpoint.link if checkpoint else CHAIN_START
        start = after if after and after.sequence >= cut.sequence else cut
        last, broken = verify_chain(start, islice(_iterate_sealed(conn, organization_id, start.sequence), MAX_ENTRIES))
        head = find_head(conn, organization_id) or CHAIN_START
        first = list_sealed(conn, organization_id, after=0, limit=1)
        unsealed = count_unsealed(conn, organization_id)
    if checkpoint is not None and not signer.is_signed(checkpoint.text, checkpoint.signature):
        broken = BrokenLink(sequence=cut.sequence, reason="the checkpoint's signature does not verify")
    elif first and (first[0].sequence or 0) <= cut.sequence:
        broken = BrokenLink(sequence=first[0].sequence or 0, reason="a pruned entry is in the log again")
    is_complete = last.sequence - start.sequence < MAX_ENTRIES or head == last
    if broken is None and is_complete and head != last:
        is_short = last.sequence < head.sequence
        reason = "the log ends before its head" if is_short else "the log's head differs from its last seal"
        broken = BrokenLink(sequence=last.sequence + is_short, reason=reason)
    return Verification(
        checkpoint=checkpoint, start=start, last=last, broken=broken, is_complete=is_complete, unsealed=unsealed
    )


def _require_log(conn: Connection, organization_id: UUID) -> None:
    if organization_id != PLATFORM_LOG and not has_organization(conn, organization_id):
        raise NotFoundError("There is no such organization.")


def _iterate_sealed(conn: Connection, organization_id: UUID, after: int) -> Iterator[AuditEntry]:
    while entries := list_sealed(conn, organization_id, after=after, limit=BATCH):
        yield from entries
        after = entries[-1].sequence or after
