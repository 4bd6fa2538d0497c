"""Read the branding that a public request asks for, and its images.

Unknown, suspended and erased organizations, and those without the entitlement, are answered like each other.
"""

from uuid import UUID

from tenancy.errors import NotFoundError
from tenancy.rules.branding.branding import Branding
from tenancy.rules.branding.images import BrandImage
from tenancy.rules.named_organization import NamedOrganization
from tenancy.stores.postgres.branding import find_image
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.standing import find_standing
from tenancy.use_cases.branding.effective_branding import find_effective_branding, may_be_branded
from tenancy.use_cases.sessions.named_organization import find_or_pretend


def read_branding(platform_db: Homes, named: NamedOrganization) -> tuple[UUID, Branding]:
    """Return the branding of the organization that *named* means, or the platform's. The id is that of its images.

    Raises:
        UnavailableError: the database is unreachable.
    """
    organization_id = find_or_pretend(platform_db, named)
    with platform_db.tenant_transaction(organization_id) as conn:
        return organization_id, find_effective_branding(conn, organization_id)


def read_image(platform_db: Homes, named: NamedOrganization, digest: str) -> BrandImage:
    """Return an image of the organization that *named* means.

    Raises:
        NotFoundError: its present branding has no image with this *digest*.
        UnavailableError: the database is unreachable.
    """
    organization_id = find_or_pretend(platform_db, named)
    with platform_db.tenant_transaction(organization_id) as conn:
        standing = find_standing(conn, organization_id)
        image = find_image(conn, organization_id, bytes.fromhex(digest))
    if image is None or not may_be_branded(standing):
        raise NotFoundError("There is no such image.")
    return image
