"""Admit a proven person as a member: known, invited, or made just in time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import QuotaExceededError, TransitionNotAllowedError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.people.addresses import parse_address
from tenancy.rules.people.member import MEMBER_JOINED, MemberStatus, Role, StoredMember
from tenancy.rules.quotas import Metric
from tenancy.rules.sso.connection import SubjectRealm
from tenancy.rules.sso.id_token import ProvenIdentity
from tenancy.rules.sso.refusals import SsoFault, SsoForbiddenError
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.one_time_tokens import end_one_time_tokens, has_live_invitation
from tenancy.stores.postgres.platform.outbox import OutboxEntry
from tenancy.stores.postgres.seats import lock_seats
from tenancy.stores.postgres.sso_identities import (
    find_member_of_subject,
    has_subject,
    is_domain_proven,
    upsert_sso_identity,
)
from tenancy.stores.postgres.users import find_user_by_email, insert_sso_user, update_user_active
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.organizations.claim_seat import claim_seat
from tenancy.use_cases.organizations.require_changeable import require_changeable

MADE: Final = "member.made_by_sso"
LINKED: Final = "member.linked_to_sso"
STATUS_FAULTS: Final = {
    MemberStatus.DISABLED: SsoFault.MEMBER_DISABLED,
    MemberStatus.REMOVED: SsoFault.MEMBER_REMOVED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAdmission:
    """A person whom the provider of *realm* has proven, and who wants to be a member. A new one gets *default_role*."""

    organization_id: UUID
    default_role: Role
    realm: SubjectRealm
    identity: ProvenIdentity
    request_id: str
    source_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmittedMember:
    """The active member for the person. *publication* is to be run if its epoch has changed."""

    user_id: UUID
    publication: OutboxEntry | None = None


def admit_member(conn: Connection, asked: PersonAdmission, *, now: datetime) -> AdmittedMember:
    """Return the active member for the person.

    A person is known by provider and subject. At the first log-in the address decides, and the issuer must vouch for
    it. An invitation for the address is consumed and gives its role. Otherwise the domain of the address must be proven
    by the organization: then the person is the member with that address, or becomes a new one. A disabled or removed
    member stays so.

    Raises:
        SsoForbiddenError: the person may not be a member.
    """
    known = find_member_of_subject(conn, asked.organization_id, asked.realm, asked.identity.subject)
    if known is not None and known.status is MemberStatus.ACTIVE:
        return AdmittedMember(user_id=known.id)
    # From here on members change, one person at a time: two first log-ins at once make one member.
    lock_seats(conn, asked.organization_id, Metric.USERS)
    try:
        require_changeable(conn, asked.organization_id)
    except TransitionNotAllowedError as error:
        raise SsoForbiddenError(SsoFault.ORGANIZATION_INACTIVE) from error
    known = find_member_of_subject(conn, asked.organization_id, asked.realm, asked.identity.subject)
    return _admit_known(conn, asked, known, now=now) if known is not None else _admit_new(conn, asked, now=now)


def _admit_known(conn: Connection, asked: PersonAdmission, known: StoredMember, *, now: datetime) -> AdmittedMember:
    _require_status(known)
    return (
        _join(conn, asked, known, now=now) if known.status is MemberStatus.INVITED else AdmittedMember(user_id=known.id)
    )


def _admit_new(conn: Connection, asked: PersonAdmission, *, now: datetime) -> AdmittedMember:
    """Find the member by its address, and link it, or make it."""
    email = _require_email(asked.identity)
    found = find_user_by_email(conn, asked.organization_id, email)
    if found is not None:
        _require_status(found)
        if found.status is MemberStatus.INVITED:
            _require_same_subject_or_invitation(conn, asked, found, now=now)
            return _join(conn, asked, found, now=now)
    if not is_domain_proven(conn, asked.organization_id, email.rpartition("@")[2]):
        raise SsoForbiddenError(SsoFault.DOMAIN_UNPROVEN)
    if found is None:
        return _make(conn, asked, email, now=now)
    # The issuer gave the address to another person. The former one's membership does not go with it.
    if has_subject(conn, asked.organization_id, found.id, asked.realm):
        raise SsoForbiddenError(SsoFault.OTHER_SUBJECT)
    _link(conn, asked, found.id, LINKED, now=now)
    return AdmittedMember(user_id=found.id)


def _require_same_subject_or_invitation(
    conn: Connection, asked: PersonAdmission, invited: StoredMember, *, now: datetime
) -> None:
    """Refuse another person than the one whom the provider knows, unless an administrator invites the address again."""
    if has_subject(conn, asked.organization_id, invited.id, asked.realm) and not has_live_invitation(
        conn, asked.organization_id, invited.id, now=now
    ):
        raise SsoForbiddenError(SsoFault.OTHER_SUBJECT)


def _require_email(identity: ProvenIdentity) -> str:
    if identity.email is None:
        raise SsoForbiddenError(identity.email_fault or SsoFault.EMAIL_MISSING)
    try:
        return parse_address(identity.email)
    except ValueError as error:
        raise SsoForbiddenError(SsoFault.EMAIL_MISSING) from error


def _require_status(member: StoredMember) -> None:
    if member.status in STATUS_FAULTS:
        raise SsoForbiddenError(STATUS_FAULTS[member.status])


def _join(conn: Connection, asked: PersonAdmission, invited: StoredMember, *, now: datetime) -> AdmittedMember:
    """Consume the invitation of a member, whose epoch changes."""
    organization_id = asked.organization_id
    update_user_active(conn, organization_id, invited.id)
    end_one_time_tokens(conn, organization_id, invited.id, now=now)
    _link(conn, asked, invited.id, MEMBER_JOINED, now=now)
    publication = enqueue_credential_publication(conn, organization_id, invited.id, now=now)
    return AdmittedMember(user_id=invited.id, publication=publication)


def _make(conn: Connection, asked: PersonAdmission, email: str, *, now: datetime) -> AdmittedMember:
    organization_id, user_id = asked.organization_id, uuid4()
    try:
        claim_seat(conn, organization_id, Metric.USERS, now=now)
    except QuotaExceededError as error:
        raise SsoForbiddenError(SsoFault.NO_SEAT) from error
    insert_sso_user(conn, organization_id, user_id, email=email, role=asked.default_role, now=now)
    _link(conn, asked, user_id, MADE, now=now)
    return AdmittedMember(user_id=user_id)


def _link(conn: Connection, asked: PersonAdmission, user_id: UUID, action: str, *, now: datetime) -> None:
    upsert_sso_identity(conn, asked.organization_id, user_id, asked.realm, subject=asked.identity.subject, now=now)
    actor = Actor(kind=CallerKind.PERSON, id=user_id, request_id=asked.request_id, source_address=asked.source_address)
    insert_audit_record(conn, asked.organization_id, AuditRecord.done(action, str(user_id), actor, now=now))
