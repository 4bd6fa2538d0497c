"""The branding that applies to an organization at the moment."""

from uuid import UUID

from tenancy.rules.branding.branding import PLATFORM_BRANDING, Branding
from tenancy.rules.branding.sender import domain_of
from tenancy.rules.entitlements import WHITE_LABEL_FLAG
from tenancy.rules.mails import MailSender
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.standing import Standing
from tenancy.stores.postgres.branding import find_branding
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.email_domains import find_email_domain
from tenancy.stores.postgres.standing import find_standing


def find_effective_branding(conn: Connection, organization_id: UUID) -> Branding:
    """Return the stored branding of an active organization whose entitlements include it, else the platform's.

    An unknown organization takes the same statements.
    """
    standing, stored = find_standing(conn, organization_id), find_branding(conn, organization_id)
    return stored if may_be_branded(standing) else PLATFORM_BRANDING


def may_be_branded(standing: Standing | None) -> bool:
    """Tell whether the organization is active, and its entitlements include a branding."""
    if standing is None or standing.status is not OrganizationStatus.ACTIVE:
        return False
    return bool(standing.entitlements.values[WHITE_LABEL_FLAG])


def is_sender_domain_proven(conn: Connection, organization_id: UUID, address: str) -> bool:
    """Tell whether the organization has proven that the domain of *address* is its own (record 0069)."""
    domain = find_email_domain(conn, organization_id, domain_of(address))
    return domain is not None and domain.verified_at is not None


def find_sender(conn: Connection, organization_id: UUID, branding: Branding) -> MailSender:
    """Return the sender of mails with *branding*. It has no address whose domain is not proven any more."""
    address = branding.sender_address
    if address is not None and not is_sender_domain_proven(conn, organization_id, address):
        address = None
    return MailSender(name=branding.sender_name, address=address)
