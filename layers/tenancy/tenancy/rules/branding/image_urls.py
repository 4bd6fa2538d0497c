"""URLs of the images of a branding, on the platform's own host."""

from typing import Final
from uuid import UUID

IMAGE_PATH: Final = "/branding/images"


def image_url(api_url: str, organization_id: UUID, digest: str) -> str:
    """Return the URL of an image. *digest* is the SHA-256 of the content, so the URL changes with it."""
    return f"{api_url}{IMAGE_PATH}/{organization_id}/{digest}"
