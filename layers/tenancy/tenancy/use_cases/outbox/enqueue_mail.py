"""Enqueue mails to members: one-time tokens, and a changed password."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.people.one_time_tokens import TokenPurpose
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry, insert_wanted_entry
from tenancy.use_cases.outbox.run_entries import OutboxKind

KINDS: Final = {
    TokenPurpose.INVITATION: OutboxKind.INVITATION_MAIL,
    TokenPurpose.PASSWORD_RESET: OutboxKind.PASSWORD_RESET_MAIL,
}


def enqueue_token_mail(
    conn: Connection,
    organization_id: UUID,
    purpose: TokenPurpose,
    token_id: UUID,
    *,
    request_id: str = "",
    source_address: str = "",
    is_wanted: bool = True,
    now: datetime,
) -> None:
    """Insert an outbox entry for the mail with a one-time token if *is_wanted*. The work is the same if not.

    The sweep makes the token and sends the mail. The audit record of a password reset names *request_id* and
    *source_address*, those of the request without a credential that caused the mail.
    """
    payload = {"token_id": str(token_id), "request_id": request_id, "source_address": source_address}
    insert_wanted_entry(conn, organization_id, KINDS[purpose], payload, due_at=now, is_wanted=is_wanted)


def enqueue_password_changed_mail(
    conn: Connection, organization_id: UUID, to: str, organization_name: str, *, now: datetime
) -> None:
    """Insert the mail to the address *to* in the transaction that changes the member's password."""
    mail = {"to": to, "organization_name": organization_name, "changed_at": now.isoformat()}
    insert_outbox_entry(conn, organization_id, OutboxKind.PASSWORD_CHANGED_MAIL, mail, due_at=now)
