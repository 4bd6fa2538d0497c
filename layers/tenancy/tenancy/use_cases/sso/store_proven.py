"""Admit the proven person of a log-in, and store the code for the client."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.rules.durations import SSO_CODE_LIFETIME
from tenancy.rules.people.opaque_tokens import OpaqueToken
from tenancy.rules.sso.id_token import ProvenIdentity
from tenancy.rules.sso.refusals import SsoFault, SsoForbiddenError
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.outbox import OutboxEntry
from tenancy.stores.postgres.sso_log_ins import update_log_in_proven
from tenancy.use_cases.sso.admit_member import PersonAdmission, admit_member
from tenancy.use_cases.sso.live_connection import find_live_connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenPerson:
    """The person whom the provider of a connection has proven in one log-in."""

    organization_id: UUID
    state_digest: bytes
    connection_id: UUID
    identity: ProvenIdentity
    request_id: str
    source_address: str


def store_proven(platform_db: Homes, person: ProvenPerson, code: OpaqueToken, *, now: datetime) -> OutboxEntry | None:
    """Admit *person* as a member, and store *code* for the client. Return the publication of a changed epoch.

    Raises:
        SsoForbiddenError: the person may not be a member, or the connection has ended.
        UnavailableError: the database is unreachable. The code may be stored.
    """
    organization_id = person.organization_id
    with platform_db.tenant_transaction(organization_id) as conn:
        live = find_live_connection(conn, organization_id)
        if live is None or live.id != person.connection_id:
            raise SsoForbiddenError(SsoFault.OTHER_CONNECTION)
        admission = PersonAdmission(
            organization_id=organization_id,
            default_role=live.settings.default_role,
            realm=live.realm,
            identity=person.identity,
            request_id=person.request_id,
            source_address=person.source_address,
        )
        admitted = admit_member(conn, admission, now=now)
        update_log_in_proven(
            conn,
            organization_id,
            person.state_digest,
            user_id=admitted.user_id,
            code_digest=code.digest,
            expires_at=now + SSO_CODE_LIFETIME,
        )
    return admitted.publication
