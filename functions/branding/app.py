"""Branding of organizations: the public one with its images, and the stored one for administrators."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response as Answer
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.errors import NotFoundError, NotInTierError
from tenancy.gateway.answers import answers
from tenancy.gateway.cached_answers import CACHE_HEADERS, DECLARED_IMAGE_HEADERS, cached_answer, cached_image
from tenancy.gateway.documents.branding import (
    BrandingAnswer,
    BrandingChanges,
    ImageDigest,
    StoredBrandingAnswer,
    branding_text,
    stored_document,
)
from tenancy.gateway.parameters import Id
from tenancy.gateway.resolver import api, named_by, request_of, tenant_of
from tenancy.gateway.rights import for_public, for_tenants
from tenancy.gateway.trail import actor_of
from tenancy.rules.body_members import ORGANIZATION_MAX_CHARACTERS
from tenancy.rules.branding.images import MediaType
from tenancy.rules.durations import BRANDING_MAX_AGE_SECONDS, IMAGE_MAX_AGE_SECONDS
from tenancy.rules.permissions import BRANDING_WRITE
from tenancy.settings import Settings
from tenancy.use_cases.branding.change_branding import StoredBranding, change_branding, read_stored_branding
from tenancy.use_cases.branding.read_branding import read_branding, read_image
from tenancy.wiring import Wiring

PUBLIC: Final = f"public, max-age={BRANDING_MAX_AGE_SECONDS}"
# A browser may keep an image. A shared cache would show that of an erased organization to others.
IMMUTABLE: Final = f"public, max-age={IMAGE_MAX_AGE_SECONDS}, s-maxage={BRANDING_MAX_AGE_SECONDS}, immutable"

settings = Settings.from_env(
    "API_HOST", "AUDIT_QUEUE_URL", "BASE_DOMAIN", "FETCH_FUNCTION", "REDIS_PATIENCE_MS", "UPGRADE_URL"
)
wiring = Wiring(settings)
platform_db, fetcher = wiring.platform_database, wiring.fetcher
app = api()


@app.get("/branding")
@for_public
@answers(BrandingAnswer, headers=CACHE_HEADERS)
def show(
    organization: Annotated[str | None, Query(max_length=ORGANIZATION_MAX_CHARACTERS)] = None,
) -> Answer[str]:
    """Show the branding of the organization that the request names, or that of the platform."""
    organization_id, branding = read_branding(platform_db, named_by(app, organization))
    text = branding_text(branding, organization_id, api_url=api_url())
    version = sha256(text.encode()).hexdigest()
    return cached_answer(
        request_of(app), text, media_type="application/json", version=version, cache_control=PUBLIC, headers={}
    )


@app.get("/branding/images/<organization_id>/<digest>")
@for_public
@answers(None, NotFoundError, media_types=tuple(MediaType), headers=DECLARED_IMAGE_HEADERS)
def show_image(
    organization_id: Id,  # noqa: ARG001 - also one of the names of the organization
    digest: ImageDigest,
) -> Answer[str]:
    """Return an image of a branding, from the URL that the branding has."""
    image = read_image(platform_db, named_by(app), digest)
    return cached_image(request_of(app), image, cache_control=IMMUTABLE)


@app.get("/branding/settings")
@for_tenants(BRANDING_WRITE)
@answers(StoredBrandingAnswer)
def show_stored() -> dict[str, Any]:
    """Show the stored branding of the organization, also if its entitlements do not include it."""
    return _document(read_stored_branding(platform_db, wiring.find_sender_identities, tenant_of(app)))


@app.put("/branding")
@for_tenants(BRANDING_WRITE)
@answers(StoredBrandingAnswer, NotInTierError)
def change(body: BrandingChanges) -> dict[str, Any]:
    """Change the branding of the organization. Its images are fetched once, and served by the platform."""
    tenant = tenant_of(app)
    actor = actor_of(request_of(app), tenant)
    now = datetime.now(UTC)
    return _document(
        change_branding(platform_db, fetcher, wiring.find_sender_identities, tenant, body.change(), actor, now=now)
    )


def _document(stored: StoredBranding) -> dict[str, Any]:
    return stored_document(stored, tenant_of(app).organization_id, api_url=api_url())


def api_url() -> str:
    """Return the URL of the API. The local stack has no TLS."""
    scheme = "http" if settings.aws_endpoint_url else "https"
    return f"{scheme}://{request_of(app).find_api(settings.api_host)}"


handler = wiring.handler(app, platform_db)
