"""Show the stored branding of an organization to its administrators, and change it.

Reasons: docs/decisions/0073-branding.md.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tenancy.errors import BODY, FieldError, InvalidError, UnavailableError, UnreachableUrlError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.branding.branding import BRANDING_CHANGED, Branding, BrandingChange, ImageSlot
from tenancy.rules.branding.images import MAX_IMAGE_BYTES, BrandImage, MediaType, read_media_type
from tenancy.rules.branding.sender import SenderState, domain_of
from tenancy.rules.entitlements import WHITE_LABEL_FLAG, require_flag
from tenancy.rules.standing import require_existing
from tenancy.rules.tenant import AdmittedTenant
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.branding import delete_image, find_branding, lock_branding, upsert_branding, upsert_image
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.standing import find_standing
from tenancy.use_cases.branding.effective_branding import is_sender_domain_proven
from tenancy.use_cases.organizations.require_changeable import require_changeable

if TYPE_CHECKING:
    from tenancy.stores.aws.sender_identities import SenderIdentities

ACCEPTED: Final = ", ".join(MediaType)

type FindIdentities = Callable[[], "SenderIdentities"]
type Images = Mapping[ImageSlot, BrandImage | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBranding:
    """A branding with facts for administrators. *is_included* tells whether the entitlements include it."""

    branding: Branding
    is_included: bool
    sender_state: SenderState


def read_stored_branding(platform_db: Homes, find_identities: FindIdentities, tenant: AdmittedTenant) -> StoredBranding:
    """Return the stored branding of the tenant, also if its entitlements do not include one.

    Raises:
        UnavailableError: the database is unreachable.
    """
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        stored = _describe(conn, tenant, find_branding(conn, tenant.organization_id))
    return _with_word_of_ses(find_identities, stored)


def change_branding(
    platform_db: Homes,
    fetcher: Fetcher,
    find_identities: FindIdentities,
    tenant: AdmittedTenant,
    change: BrandingChange,
    actor: Actor,
    *,
    now: datetime,
) -> StoredBranding:
    """Change the branding of the tenant, and return it. Images are fetched first, each once.

    Raises:
        NotInTierError: the entitlements of the organization include no branding.
        InvalidError: an image cannot be used, or the organization has not proven the domain of the sender's address.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: PostgreSQL or `fetch` is unreachable. The change may be stored. A retry is safe.
    """
    require_flag(tenant.entitlements, WHITE_LABEL_FLAG)
    images = {slot: _fetch(fetcher, slot, url) for slot, url in change.image_urls.items()}
    digests = {slot: image.digest.hex() if image is not None else None for slot, image in images.items()}
    organization_id = tenant.organization_id
    with platform_db.tenant_transaction(organization_id) as conn:
        require_changeable(conn, organization_id)
        require_flag(require_existing(find_standing(conn, organization_id)).entitlements, WHITE_LABEL_FLAG)
        _require_own_domain(conn, tenant, change)
        lock_branding(conn, organization_id)
        before = find_branding(conn, organization_id)
        after = change.apply_to(before, digests)
        if changed := before.list_changes(after):
            upsert_branding(conn, organization_id, after, now=now)
            _store_images(conn, tenant, images, now=now)
            record = AuditRecord.done(BRANDING_CHANGED, ", ".join(changed), actor, now=now)
            insert_audit_record(conn, organization_id, record)
        stored = _describe(conn, tenant, after)
    return _with_word_of_ses(find_identities, stored)


def _fetch(fetcher: Fetcher, slot: ImageSlot, url: str | None) -> BrandImage | None:
    if url is None:
        return None
    member = f"{slot}_url"
    try:
        answer = fetcher.fetch_url(url, max_bytes=MAX_IMAGE_BYTES, accept=ACCEPTED)
        if answer.status != HTTPStatus.OK:
            raise _invalid_member(member, f"The server of the URL answered with status {answer.status}, not with 200.")
        media_type = read_media_type(answer.body)
    except (UnreachableUrlError, ValueError) as error:
        raise _invalid_member(member, str(error)) from error
    return BrandImage(digest=hashlib.sha256(answer.body).digest(), media_type=media_type, content=bytes(answer.body))


def _store_images(conn: Connection, tenant: AdmittedTenant, images: Images, *, now: datetime) -> None:
    for slot, image in images.items():
        if image is None:
            delete_image(conn, tenant.organization_id, slot, now=now)
        else:
            upsert_image(conn, tenant.organization_id, slot, image, now=now)


def _require_own_domain(conn: Connection, tenant: AdmittedTenant, change: BrandingChange) -> None:
    """Require that the organization has proven the domain of a new address.

    SES knows the domains of all organizations. So its word alone would let one organization send as another one.
    """
    address = change.texts.get("sender_address")
    if address is not None and not is_sender_domain_proven(conn, tenant.organization_id, address):
        raise _invalid_member(
            "sender_address",
            f"The organization has not verified the e-mail domain {domain_of(address)}. "
            "Claim it with POST /v1/sso/email-domains and verify it first.",
        )


def _describe(conn: Connection, tenant: AdmittedTenant, branding: Branding) -> StoredBranding:
    """Return *branding* with the facts that PostgreSQL knows. The state of a proven address is unknown."""
    standing = require_existing(find_standing(conn, tenant.organization_id))
    state = SenderState.NOT_SET
    if branding.sender_address is not None:
        is_proven = is_sender_domain_proven(conn, tenant.organization_id, branding.sender_address)
        state = SenderState.UNKNOWN if is_proven else SenderState.DOMAIN_NOT_VERIFIED
    is_included = bool(standing.entitlements.values[WHITE_LABEL_FLAG])
    return StoredBranding(branding=branding, is_included=is_included, sender_state=state)


def _with_word_of_ses(find_identities: FindIdentities, stored: StoredBranding) -> StoredBranding:
    """Ask SES whether it may send from an address whose domain is proven. Without an answer the state is unknown."""
    address = stored.branding.sender_address
    if address is None or stored.sender_state is not SenderState.UNKNOWN:
        return stored
    try:
        is_verified = find_identities().is_verified(address)
    except UnavailableError:
        return stored
    return replace(stored, sender_state=SenderState.ACTIVE if is_verified else SenderState.IDENTITY_NOT_VERIFIED)


def _invalid_member(member: str, message: str) -> InvalidError:
    return InvalidError(message, errors=[FieldError(location=f"{BODY}/{member}", code="invalid", message=message)])
