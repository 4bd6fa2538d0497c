"""Accept an invitation: the member chooses a password, and becomes active."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from tenancy.rules.audit_record import AuditRecord
from tenancy.rules.people.member import MemberStatus, StoredMember
from tenancy.rules.people.one_time_tokens import TokenPurpose
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.one_time_tokens import end_one_time_tokens
from tenancy.stores.postgres.users import update_user_joined
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_entry
from tenancy.use_cases.people.mailed_tokens import ChosenPassword, hash_password, prove_member

JOINED: Final = "member.joined"


def accept_invitation(
    platform_db: Database, targets: OutboxTargets, chosen: ChosenPassword, *, now: datetime
) -> StoredMember:
    """Make the invited member that the token belongs to active, with its password and name, and return it.

    The member has the role of its invitation. The token is used up with the change, in one transaction.

    Raises:
        UnauthenticatedError: the token is unknown, used, replaced or expired, or its member is not invited any more.
        InvalidError: the password is too short, too long or easy to guess.
        UnavailableError: the database is unreachable. The invitation may be accepted. If it is, the member can log in.
    """
    purpose, organization_id = TokenPurpose.INVITATION, chosen.organization_id
    password_hash = hash_password(platform_db, chosen, purpose, now=now)
    with platform_db.tenant_transaction(organization_id) as conn:
        member = prove_member(conn, chosen.token, purpose, now=now)
        update_user_joined(conn, organization_id, member.id, name=chosen.name, password_hash=password_hash)
        end_one_time_tokens(conn, organization_id, member.id, now=now)
        record = AuditRecord.done(JOINED, str(member.id), chosen.actor_of(member), now=now)
        insert_audit_record(conn, organization_id, record)
        publication = enqueue_credential_publication(conn, organization_id, member.id, now=now)
    run_entry(platform_db, targets, publication, now=now)
    return replace(member, name=chosen.name, status=MemberStatus.ACTIVE)
