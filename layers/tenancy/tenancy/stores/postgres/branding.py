"""The branding of an organization, and its images."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tenancy.rules.branding.branding import Branding, ImageSlot
from tenancy.rules.branding.images import BrandImage, MediaType
from tenancy.stores.postgres.client import Connection

# Advisory locks are numbers, so the name is hashed. The lock ends with the transaction.
LOCK_BRANDING: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
FIND_BRANDING: Final = """
    SELECT primary_color, secondary_color, accent_color, css_variables, sender_name, sender_address
    FROM tenant_branding WHERE organization_id = %s
"""
LIST_IMAGE_DIGESTS: Final = """
    SELECT slot, encode(digest, 'hex') FROM branding_images WHERE organization_id = %s
"""
UPSERT_BRANDING: Final = """
    INSERT INTO tenant_branding (
        organization_id, primary_color, secondary_color, accent_color, css_variables, sender_name, sender_address,
        updated_at
    )
    VALUES (
        %(organization_id)s, %(primary_color)s, %(secondary_color)s, %(accent_color)s, %(css_variables)s,
        %(sender_name)s, %(sender_address)s, %(updated_at)s
    )
    ON CONFLICT (organization_id) DO UPDATE SET
        primary_color = excluded.primary_color, secondary_color = excluded.secondary_color,
        accent_color = excluded.accent_color, css_variables = excluded.css_variables,
        sender_name = excluded.sender_name, sender_address = excluded.sender_address, updated_at = excluded.updated_at
"""
UPSERT_IMAGE: Final = """
    INSERT INTO branding_images (organization_id, slot, digest, media_type, content, stored_at)
    VALUES (%(organization_id)s, %(slot)s, %(digest)s, %(media_type)s, %(content)s, %(stored_at)s)
    ON CONFLICT (organization_id, slot) DO UPDATE SET
        digest = excluded.digest, media_type = excluded.media_type, content = excluded.content,
        stored_at = excluded.stored_at
"""
UPDATE_IMAGE_REMOVED: Final = "UPDATE branding_images SET removed_at = %s WHERE organization_id = %s AND slot = %s"
DELETE_REMOVED_IMAGES: Final = "DELETE FROM branding_images WHERE organization_id = %s AND removed_at IS NOT NULL"
FIND_IMAGE: Final = """
    SELECT digest, media_type, content FROM branding_images
    WHERE organization_id = %s AND digest = %s LIMIT 1
"""


def lock_branding(conn: Connection, organization_id: UUID) -> None:
    """Lock the branding of the organization until the transaction ends. There may be none yet."""
    conn.execute(LOCK_BRANDING, (f"branding {organization_id}",))


def find_branding(conn: Connection, organization_id: UUID) -> Branding:
    """Return the stored branding of the organization. Nothing of it is set without one."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(FIND_BRANDING, (organization_id,)).fetchone() or {}
    digests = conn.execute(LIST_IMAGE_DIGESTS, (organization_id,)).fetchall()
    return Branding(**row, images={ImageSlot(slot): digest for slot, digest in digests})


def upsert_branding(conn: Connection, organization_id: UUID, branding: Branding, *, now: datetime) -> None:
    """Insert the branding of the organization, or replace it. Its images stay."""
    values = {
        **branding.colors,
        "organization_id": organization_id,
        "css_variables": Jsonb(dict(branding.css_variables)),
        "sender_name": branding.sender_name,
        "sender_address": branding.sender_address,
        "updated_at": now,
    }
    conn.execute(UPSERT_BRANDING, values)


def upsert_image(conn: Connection, organization_id: UUID, slot: ImageSlot, image: BrandImage, *, now: datetime) -> None:
    """Insert the image of a slot, or replace it."""
    values = {
        "organization_id": organization_id,
        "slot": slot,
        "digest": image.digest,
        "media_type": image.media_type,
        "content": image.content,
        "stored_at": now,
    }
    conn.execute(UPSERT_IMAGE, values)


def delete_image(conn: Connection, organization_id: UUID, slot: ImageSlot, *, now: datetime) -> None:
    """Delete the image of a slot, if there is one."""
    conn.execute(UPDATE_IMAGE_REMOVED, (now, organization_id, slot))
    conn.execute(DELETE_REMOVED_IMAGES, (organization_id,))


def find_image(conn: Connection, organization_id: UUID, digest: bytes) -> BrandImage | None:
    """Return the image with the SHA-256 *digest*, or None."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(FIND_IMAGE, (organization_id, digest)).fetchone()
    if row is None:
        return None
    return BrandImage(digest=row["digest"], media_type=MediaType(row["media_type"]), content=row["content"])
