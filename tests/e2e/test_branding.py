"""Brandings on the deployed stack: the image of a tenant's server comes back as the same bytes, from our own host."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.brand_images import png_of
from tests.e2e.conftest import STACK_FOLDER, Provision
from tests.e2e.deployed import Api
from tests.tls_provider import Provider, http_answer, running_provider

pytestmark = pytest.mark.outside
LOGO = png_of(4, 2)


@pytest.fixture
def provider() -> Iterator[Provider]:
    """The first server that `Fetch` may call on this machine."""
    described = json.loads((STACK_FOLDER / "stack.json").read_text())
    [host, _] = described["provider_hosts"].split(",")
    with running_provider(Path(described["provider_certificate"]), urlsplit(f"//{host}").port or 0) as server:
        server.answers["/logo"] = http_answer(LOGO, content_type="text/html")
        yield server


@pytest.mark.parametrize("accept", ["*/*", "image/webp,image/*;q=0.8"])
def test_logo_comes_back_from_our_own_host(api: Api, provision: Provision, provider: Provider, accept: str) -> None:
    acme = provision("acme", "enterprise")
    body = json.dumps({"logo_url": provider.url("/logo"), "primary_color": "#7C3AED"}).encode()

    changed = api.call("PUT", "/branding", acme.secret_key, body=body)
    shown = api.get(f"/branding?organization={acme.subdomain}", None)
    assert changed.status == shown.status == 200
    path = urlsplit(shown.document["logo_url"]).path.removeprefix("/v1")
    with urlopen(Request(f"{api.url}{path}", headers={"Accept": accept}), timeout=60) as image:
        content, headers = image.read(), image.headers

    assert shown.document["primary_color"] == "#7c3aed"
    assert content == LOGO
    assert (headers["Content-Type"], headers["X-Content-Type-Options"]) == ("image/png", "nosniff")


def test_name_without_a_branding_gets_the_platforms(api: Api, provision: Provision) -> None:
    acme = provision("acme", "starter")

    answers = [api.get(f"/branding?organization={name}", None) for name in (acme.subdomain, "unknown-name")]
    known = api.get("/branding", None, {"If-None-Match": answers[0].headers["etag"]})

    assert answers[0].document == answers[1].document
    assert answers[0].headers["etag"] == answers[1].headers["etag"]
    assert (known.status, known.document) == (304, None)
