"""Switch passwords off where an organization requires single sign-on, but for a break-glass super_admin."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from tenancy.errors import SsoRequiredError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.people.member import Role
from tenancy.rules.people.one_time_tokens import TIME_FORMAT
from tenancy.rules.people.sessions import SessionMember
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.stores.postgres.sso_connections import is_sso_required
from tenancy.stores.postgres.users import list_active_super_admins
from tenancy.use_cases.outbox.run_entries import OutboxKind

BREAK_GLASS_USED: Final = "session.break_glass"


def require_no_sso(conn: Connection, organization_id: UUID) -> None:
    """Require that the organization takes passwords.

    Raises:
        SsoRequiredError: it requires single sign-on.
    """
    if is_sso_required(conn, organization_id):
        raise SsoRequiredError


def require_password_log_in(conn: Connection, member: SessionMember, actor: Actor, *, now: datetime) -> None:
    """Require that *member*, whose password is proven, may log in by it.

    If the organization requires single sign-on, only a super_admin may: a provider that does not work must not lock
    the organization out. That log-in is recorded, and all active super_admins get a mail.

    Raises:
        SsoRequiredError: the organization requires single sign-on, and the member is no super_admin.
    """
    if not is_sso_required(conn, member.organization_id):
        return
    if member.role != Role.SUPER_ADMIN:
        raise SsoRequiredError
    record = AuditRecord.done(BREAK_GLASS_USED, str(member.user_id), actor, now=now)
    insert_audit_record(conn, member.organization_id, record)
    for address in list_active_super_admins(conn, member.organization_id):
        mail = {
            "to": address,
            "organization_name": member.organization_name,
            "email": member.email,
            "logged_in_at": now.astimezone(UTC).strftime(TIME_FORMAT),
        }
        insert_outbox_entry(conn, member.organization_id, OutboxKind.BREAK_GLASS_MAIL, mail, due_at=now)
