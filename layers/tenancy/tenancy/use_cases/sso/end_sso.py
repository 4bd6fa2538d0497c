"""End single sign-on: passwords work again, and each member can set one.

It ends with a change of the entitlements, or because an administrator deletes the connection.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.durations import SSO_ENDED_RESET_LIFETIME, TOKEN_MAILS_TIME
from tenancy.rules.people.one_time_tokens import TOKEN_MAILS_AN_HOUR, TokenPurpose
from tenancy.stores.postgres.audit_log import has_record_since, insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.one_time_tokens import insert_resets_of_passwordless
from tenancy.stores.postgres.organizations import find_organization_of_tenant
from tenancy.stores.postgres.platform.outbox import insert_outbox_entries, insert_token_entries
from tenancy.stores.postgres.sso_connections import update_not_required
from tenancy.stores.postgres.users import list_active_super_admins
from tenancy.use_cases.outbox.run_entries import OutboxKind

END_MAILED: Final = "sso.end_mailed"  # the action of an audit record: all active super_admins get a mail


def end_sso(conn: Connection, organization_id: UUID, actor: Actor, *, now: datetime) -> None:
    """Switch passwords on, and enqueue the mails, in the transaction that ends the organization's single sign-on.

    Each active super_admin learns that it has ended, at most once an hour. Each active member without a password gets a
    mail with a one-time token, which sets a first password, unless it has a valid one, or got as many as an hour
    allows. So a connection that is set and deleted again and again floods no mailbox. The number of statements does not
    depend on the number of members.
    """
    update_not_required(conn, organization_id, now=now)
    organization = find_organization_of_tenant(conn, organization_id)
    if organization is None:
        return
    since = now - TOKEN_MAILS_TIME
    if not has_record_since(conn, organization_id, END_MAILED, since=since):
        addresses = list_active_super_admins(conn, organization_id)
        mails = ({"to": address, "organization_name": organization.name} for address in addresses)
        insert_outbox_entries(conn, organization_id, OutboxKind.SSO_ENDED_MAIL, mails, due_at=now)
        record = AuditRecord.done(END_MAILED, str(organization_id), actor, now=now)
        insert_audit_record(conn, organization_id, record)
    token_ids = insert_resets_of_passwordless(
        conn,
        organization_id,
        TokenPurpose.PASSWORD_RESET,
        since=since,
        most=TOKEN_MAILS_AN_HOUR,
        now=now,
        expires_at=now + SSO_ENDED_RESET_LIFETIME,
    )
    insert_token_entries(conn, organization_id, OutboxKind.FIRST_PASSWORD_MAIL, token_ids, due_at=now)
