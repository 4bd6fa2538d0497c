"""Store the result of a look at the records of a custom domain, with its proof."""

from datetime import datetime
from uuid import UUID

from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.custom_domains import CUSTOM_DOMAIN_VERIFIED, CustomDomain
from tenancy.rules.domain_life import look, prove
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.custom_domains import update_custom_domain
from tenancy.use_cases.domains.look_up_records import FoundProblems


def store_look(
    conn: Connection,
    organization_id: UUID,
    claim: CustomDomain,
    problems: FoundProblems,
    actor: Actor,
    *,
    now: datetime,
) -> CustomDomain:
    """Store the result of a look at the records of a locked claim, and return the claim.

    If the TXT record is there, the claim is proven from then on.

    Raises:
        DomainTakenError: the TXT record is there, but the domain is proven for another organization.
    """
    looked = look(claim, problems.ownership, problems.routing, now=now)
    proven = prove(looked, now=now) if problems.ownership is None else looked
    update_custom_domain(conn, organization_id, proven)
    if claim.verified_at is None and proven.verified_at is not None:
        record = AuditRecord.done(CUSTOM_DOMAIN_VERIFIED, str(claim.id), actor, now=now)
        insert_audit_record(conn, organization_id, record)
    return proven
