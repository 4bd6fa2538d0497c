"""End single sign-on: passwords work again, and each member can set one.

It ends with a change of the entitlements, or because an administrator deletes the connection.
"""

from datetime import datetime
from uuid import UUID

from tenancy.rules.durations import SSO_ENDED_RESET_LIFETIME
from tenancy.rules.people.one_time_tokens import TokenPurpose
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.one_time_tokens import insert_resets_of_passwordless
from tenancy.stores.postgres.organizations import find_organization_of_tenant
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry, insert_token_entries
from tenancy.stores.postgres.sso_connections import update_not_required
from tenancy.stores.postgres.users import list_active_super_admins
from tenancy.use_cases.outbox.run_entries import OutboxKind


def end_sso(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
    """Switch passwords on, and enqueue the mails, in the transaction that ends the organization's single sign-on.

    Each active super_admin learns that it has ended. Each active member without a password gets a mail with a
    one-time token, which sets a first password. The number of statements does not depend on the number of members.
    """
    update_not_required(conn, organization_id, now=now)
    organization = find_organization_of_tenant(conn, organization_id)
    if organization is None:
        return
    for address in list_active_super_admins(conn, organization_id):
        mail = {"to": address, "organization_name": organization.name}
        insert_outbox_entry(conn, organization_id, OutboxKind.SSO_ENDED_MAIL, mail, due_at=now)
    token_ids = insert_resets_of_passwordless(
        conn, organization_id, TokenPurpose.PASSWORD_RESET, now=now, expires_at=now + SSO_ENDED_RESET_LIFETIME
    )
    insert_token_entries(conn, organization_id, OutboxKind.FIRST_PASSWORD_MAIL, token_ids, due_at=now)
