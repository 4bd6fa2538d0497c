"""Branding, domains, sign-on and audit in the console, on the deployed stack (tests/e2e/test_console.py)."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from tenancy.rules.branding.branding import ImageSlot
from tenancy.rules.branding.images import BrandImage, MediaType
from tenancy.stores.postgres.branding import upsert_image
from tenancy.stores.postgres.client import Database
from tests.brand_images import png_of
from tests.e2e.conftest import STACK_FOLDER, RunConsole
from tests.e2e.deployed import Api, Organization, Stack
from tests.hostile_branding import HOSTILE_BRANDING
from tests.name_server import NameServer, running_name_server
from tests.saml_provider import SamlAnswer, SigningKey, metadata_of

type Described = dict[str, str]


@pytest.fixture
def described() -> Described:
    document: Described = json.loads((STACK_FOLDER / "stack.json").read_text())
    return document


@pytest.fixture
def names(described: Described) -> Iterator[NameServer]:
    with running_name_server(urlsplit(f"//{described['dns_address']}").port) as server:
        yield server


def store_images(described: Described, organization: Organization, color: bytes) -> dict[str, str]:
    """Store a logo and a favicon, and return the ends of their URLs. Their servers would need public addresses."""
    ends = {}
    with closing(Database(lambda: described["platform_database_url"])) as database:
        for slot, size in ((ImageSlot.LOGO, 28), (ImageSlot.FAVICON, 16)):
            content = png_of(size, size, color=color)
            image = BrandImage(digest=sha256(content).digest(), media_type=MediaType.PNG, content=content)
            with database.tenant_transaction(UUID(organization.id)) as conn:
                upsert_image(conn, UUID(organization.id), slot, image, now=datetime.now(UTC))
            ends[slot.value] = f"/v1/branding/images/{organization.id}/{image.digest.hex()}"
    return ends


def allow(stack: Stack, api: Api, organization: Organization, **overrides: bool) -> None:
    body = json.dumps({"overrides": overrides}).encode()
    assert api.call("PATCH", f"/organizations/{organization.id}", stack.platform_key, body=body).status == 200


def claim(api: Api, names: NameServer, credential: str, path: str, domain: str) -> None:
    """Claim a domain, and create its records."""
    claimed = api.post(path, credential, {"domain": domain}).document
    for record in claimed.get("records") or [claimed["record"]]:
        names.put(record["name"], record["type"], record["value"])


@pytest.mark.exhaustive
def test_brands_are_seen_and_harmless(
    run_console: RunConsole, described: Described, acme: Organization, globex: Organization
) -> None:
    images = {
        "acme": store_images(described, acme, b"\xff\xcc\x00"),
        "globex": store_images(described, globex, b"\x0f\x76\x6e"),
    }
    hostile = [asdict(each) for each in HOSTILE_BRANDING]

    run_console("white_label", acme=acme, globex=globex, more={"images": images, "hostile": hostile})


@pytest.mark.exhaustive
@pytest.mark.outside
def test_domains_sign_on_and_audit_log_are_managed(
    run_console: RunConsole, stack: Stack, api: Api, names: NameServer, acme: Organization, globex: Organization
) -> None:
    allow(stack, api, acme, white_label=True, sso=True)
    domains = {name: f"{name}.{acme.subdomain}.example" for name in ("live", "differs", "mail")}
    login = {"organization": acme.subdomain, "email": acme.admin_email, "password": acme.admin_password}
    claim(api, names, acme.secret_key, "/domains", domains["live"])
    token = api.post("/auth/token", None, login).document["access_token"]
    claim(api, names, token, "/sso/email-domains", domains["mail"])
    names.put(f"_tenancy-domain.{domains['differs']}", "TXT", "tenancy-domain=another")
    metadata = metadata_of(SamlAnswer(), SigningKey.generate())

    run_console("administration", acme=acme, globex=globex, more={"domains": domains, "metadata": metadata})


@pytest.mark.exhaustive
def test_settings_work_by_keyboard_alone(run_console: RunConsole, stack: Stack, api: Api, acme: Organization) -> None:
    allow(stack, api, acme, white_label=True, sso=True)

    run_console(
        "keyboard_administration", acme=acme, more={"metadata": metadata_of(SamlAnswer(), SigningKey.generate())}
    )
