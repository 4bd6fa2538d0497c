"""The report of a change that Redis does not know of yet. The sweep publishes it later."""

from uuid import UUID

from tenancy.gateway.metrics import STANDING_NOT_PUBLISHED, count


def report_publication(organization_id: UUID, *, is_published: bool) -> None:
    """Count a metric if the new standing, or the new state of a credential, is not in Redis yet."""
    if not is_published:
        count(STANDING_NOT_PUBLISHED, {"organization_id": str(organization_id)})
