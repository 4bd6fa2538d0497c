"""Public answers that caches may keep, each with its version."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import pybase64
from aws_lambda_powertools.event_handler import Response

from tenancy.gateway.http import NO_STORE, Request, has_version
from tenancy.rules.branding.images import BrandImage

# The parts of a request that name an organization, beside the URL (mentions.py).
VARY: Final = "X-Organization-ID, X-Forwarded-Host"
CACHE_HEADERS: Final = {"ETag": True, "Cache-Control": True, "Vary": True}
# An image does nothing, also if a browser opens it as a page.
IMAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
DECLARED_IMAGE_HEADERS: Final = {**CACHE_HEADERS, **dict.fromkeys(IMAGE_HEADERS, True)}


def cached_answer(
    request: Request, text: str, *, media_type: str, version: str, cache_control: str, headers: Mapping[str, str]
) -> Response[str]:
    """Return *text* of a *media_type*, or 304 if the client has this *version* of it.

    A body may name an organization, and no cache compares bodies. So no cache keeps the answer to a request with one.
    """
    sent: dict[str, str | list[str]] = {
        **headers,
        "ETag": f'"{version}"',
        "Cache-Control": cache_control if request.measure_body() == 0 else NO_STORE,
        "Vary": VARY,
    }
    if has_version(request, version):
        return Response(HTTPStatus.NOT_MODIFIED, headers=sent, body="")
    return Response(HTTPStatus.OK, media_type, text, headers=sent)


def cached_image(request: Request, image: BrandImage, *, cache_control: str) -> Response[str]:
    """Return an image, or 304 if the client has it. Its body is Base64, which API Gateway decodes."""
    answer = cached_answer(
        request,
        pybase64.b64encode(image.content).decode(),
        media_type=image.media_type,
        version=image.digest.hex(),
        cache_control=cache_control,
        headers=IMAGE_HEADERS,
    )
    answer.base64_encoded = bool(answer.body)  # Powertools would validate bytes as text
    return answer
