"""Images of brandings: fetched once, served from our own host, and nothing but images."""

import hashlib
from datetime import timedelta
from uuid import uuid4

import pytest

from tenancy.rules.branding.images import MAX_IMAGE_BYTES
from tenancy.rules.durations import IMAGE_MAX_AGE_SECONDS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.brand_images import jpeg_of, png_chunk, png_of, webp_of
from tests.given import Databases
from tests.handlers.branding.requests import API_URL, Brand, content_of, set_organization
from tests.handlers.functions import superuser
from tests.handlers.single_sign_on.provider import Provider

IMAGES = {"image/png": png_of(2, 1), "image/jpeg": jpeg_of(), "image/webp": webp_of()}
ROWS = "SELECT slot FROM branding_images WHERE organization_id = %s ORDER BY slot"


@pytest.fixture
def logo(image_server: Provider) -> str:
    """The URL of a PNG on the server of the tenant."""
    image_server.documents["/logo"] = IMAGES["image/png"]
    return f"{image_server.issuer}/logo"


def rows(databases: Databases, provisioned: Provisioned) -> list[str]:
    with superuser(databases) as conn:
        return [slot for (slot,) in conn.execute(ROWS, (provisioned.organization.id,))]


@pytest.mark.parametrize("media_type", IMAGES)
def test_image_is_served_by_the_type_of_its_bytes(brand: Brand, image_server: Provider, media_type: str) -> None:
    content = IMAGES[media_type]
    image_server.documents["/image.svg"] = content
    url = brand.put(logo_url=f"{image_server.issuer}/image.svg")["logo_url"]

    answer = brand.image(url)

    digest = hashlib.sha256(content).hexdigest()
    assert url == f"{API_URL}/branding/images/{brand.provisioned.organization.id}/{digest}"
    assert (answer.status, content_of(answer)) == (200, content)
    assert answer.headers["content-type"] == media_type
    assert answer.headers["etag"] == f'"{digest}"'


def test_image_can_do_nothing_and_is_kept_for_ever(brand: Brand, logo: str) -> None:
    answer = brand.image(brand.put(logo_url=logo)["logo_url"])

    assert timedelta(seconds=IMAGE_MAX_AGE_SECONDS) >= timedelta(days=365)
    assert answer.headers["cache-control"] == f"public, max-age={IMAGE_MAX_AGE_SECONDS}, s-maxage=60, immutable"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


def test_known_image_is_304(brand: Brand, logo: str) -> None:
    url = brand.put(logo_url=logo)["logo_url"]
    tag = brand.image(url).headers["etag"]

    answer = brand.image(url, if_none_match=tag)

    assert (answer.status, answer.body) == (304, "")


def test_image_is_fetched_once(brand: Brand, image_server: Provider, logo: str) -> None:
    shown = brand.put(logo_url=logo, favicon_url=logo)
    for _ in range(3):
        brand.image(shown["logo_url"])
        brand.shown()
    brand.put(primary_color="#123456")

    assert image_server.requests == ["/logo", "/logo"]
    assert image_server.issuer not in str([brand.shown(), brand.stored()])


def test_null_deletes_the_image(brand: Brand, databases: Databases, logo: str) -> None:
    url = brand.put(logo_url=logo, favicon_url=logo)["logo_url"]
    assert rows(databases, brand.provisioned) == ["favicon", "logo"]

    assert brand.put(logo_url=None)["logo_url"] is None

    assert rows(databases, brand.provisioned) == ["favicon"]
    assert brand.image(url).status == 200  # the favicon is the same image
    brand.put(favicon_url=None)
    assert brand.image(url).status == 404


def test_former_image_is_gone(brand: Brand, image_server: Provider, logo: str) -> None:
    former = brand.put(logo_url=logo)["logo_url"]
    image_server.documents["/logo"] = png_of(3, 3)

    now = brand.put(logo_url=logo)["logo_url"]

    assert now != former
    assert (brand.image(former).status, brand.image(now).status) == (404, 200)


@pytest.mark.parametrize(("column", "value"), [("tier", "growth"), ("status", "suspended"), ("status", "erased")])
def test_hidden_branding_hides_its_images(
    brand: Brand, databases: Databases, logo: str, column: str, value: str
) -> None:
    url = brand.put(logo_url=logo)["logo_url"]
    set_organization(databases, brand.provisioned, column, value)
    unknown = brand.image_of(uuid4(), "0" * 64)

    answer = brand.image(url)

    assert answer.status == unknown.status == 404
    assert answer.document["detail"] == unknown.document["detail"]


def test_image_belongs_to_its_organization(brand: Brand, globex: Provisioned, logo: str) -> None:
    url = brand.put(logo_url=logo)["logo_url"]
    digest = url.rpartition("/")[2]

    assert brand.image_of(globex.organization.id, digest).status == 404
    assert brand.image(url, x_organization_id=str(globex.organization.id)).status == 404


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
BAD = {
    "an SVG": SVG,
    "a page": b"<!doctype html><script>alert(1)</script>",
    "a GIF": b"GIF89a" + bytes(30),
    "an empty file": b"",
    "a PNG with a page after it": png_of() + b"<script>alert(1)</script>",
    "a page with a PNG after it": b"<script>alert(1)</script>" + png_of(),
    "a PNG with an unknown chunk": png_of(more=png_chunk(b"vpAg", SVG)),
    "a PNG that is too wide": png_of(2_049, 1),
    "a JPEG with a ZIP after it": jpeg_of() + b"PK\x05\x06" + bytes(18),
    "a JPEG that is too high": jpeg_of(1, 65_535),
    "a JPEG without pixels": jpeg_of(0, 0),
    "a WebP with other bytes after it": webp_of() + b"<script>",
    "half a WebP": webp_of()[:-4],
}


@pytest.mark.parametrize("member", ["logo_url", "favicon_url"])
def test_file_that_is_no_plain_image_is_refused(
    brand: Brand, image_server: Provider, subtests: pytest.Subtests, member: str
) -> None:
    for name, content in BAD.items():
        image_server.documents["/logo"] = content

        with subtests.test(name):
            problem = brand.refused({member: f"{image_server.issuer}/logo"})

            assert [each["location"] for each in problem["errors"]] == [f"body/{member}"]
            assert problem["detail"].startswith("Expected a PNG, JPEG or WebP image")
            assert brand.stored()[member] is None


def test_image_of_more_than_100_kilobytes_is_refused(brand: Brand, image_server: Provider) -> None:
    fill = png_chunk(b"tEXt", bytes(MAX_IMAGE_BYTES - len(png_of()) - 12))
    image_server.documents |= {"/fits": png_of(more=fill), "/large": png_of(more=fill + png_chunk(b"tEXt"))}

    problem = brand.refused({"logo_url": f"{image_server.issuer}/large"})
    brand.put(logo_url=f"{image_server.issuer}/fits")

    assert len(image_server.documents["/fits"]) == MAX_IMAGE_BYTES == 102_400
    assert "102,400 bytes" in problem["detail"]


def test_missing_image_is_refused(brand: Brand, image_server: Provider) -> None:
    problem = brand.refused({"logo_url": f"{image_server.issuer}/missing"})

    assert "status 404" in problem["errors"][0]["message"]


def test_refused_image_changes_nothing(brand: Brand, image_server: Provider, logo: str) -> None:
    before = brand.put(logo_url=logo, primary_color="#123456")

    brand.refused({"logo_url": f"{image_server.issuer}/missing", "primary_color": "#654321"})

    assert brand.stored() == before


@pytest.mark.parametrize("digest", ["0" * 63, "0" * 65, "G" * 64, "0" * 64 + "%0a"])
def test_malformed_digest_is_refused(brand: Brand, digest: str) -> None:
    assert brand.image_of(brand.provisioned.organization.id, digest).status in {404, 422}


def test_other_spelling_of_the_organization_is_refused(brand: Brand, logo: str) -> None:
    digest = brand.put(logo_url=logo)["logo_url"].rpartition("/")[2]
    own = brand.provisioned.organization.id

    statuses = {brand.image_of(spelled, digest).status for spelled in (own.hex, f"{{{own}}}", f"{own}\n", f"{own}é")}

    assert statuses <= {404, 422}
    assert brand.image_of(str(own).upper(), digest).status == 200
