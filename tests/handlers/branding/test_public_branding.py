"""GET /v1/branding: the shown branding, the answer for other names, and caches."""

from collections.abc import Callable

import pytest

from tenancy.rules.branding.branding import DEFAULT_COLORS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.branding.requests import Brand, set_organization
from tests.handlers.functions import BASE_DOMAIN

COLOR = "#7c3aed"
UNKNOWN_ID = "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"
DEFAULT: dict[str, object] = {"logo_url": None, "favicon_url": None, **DEFAULT_COLORS, "css_variables": {}}


def test_branding_is_shown_by_each_name(brand: Brand) -> None:
    brand.put(primary_color="#7C3AED", css_variables={"--spacing": "4px"})
    organization = brand.provisioned.organization

    shown = [
        brand.ask(organization="acme").document,
        brand.ask(organization=str(organization.id)).document,
        brand.ask(x_organization_id=str(organization.id)).document,
        brand.ask(host=f"acme.{BASE_DOMAIN}").document,
    ]

    assert shown == [{**DEFAULT, "primary_color": COLOR, "css_variables": {"--spacing": "4px"}}] * 4


def test_unset_branding_is_that_of_the_platform(brand: Brand) -> None:
    assert brand.shown() == DEFAULT


def test_sender_is_not_public(brand: Brand) -> None:
    brand.put(sender_name="Acme", sender_address="hello@acme.example")

    assert brand.shown() == DEFAULT


@pytest.mark.parametrize("status", ["suspended", "deleted", "erasing", "erased"])
def test_organization_that_is_not_active_has_the_platforms(brand: Brand, databases: Databases, status: str) -> None:
    brand.put(primary_color=COLOR)
    set_organization(databases, brand.provisioned, "status", status)

    assert brand.shown() == DEFAULT


def test_downgrade_hides_and_upgrade_brings_back(brand: Brand, databases: Databases) -> None:
    brand.put(primary_color=COLOR)

    set_organization(databases, brand.provisioned, "tier", "growth")
    hidden = brand.shown()
    set_organization(databases, brand.provisioned, "tier", "enterprise")

    assert hidden == DEFAULT
    assert brand.shown()["primary_color"] == COLOR


def test_override_brings_it_to_any_tier(brand: Brand, databases: Databases) -> None:
    brand.put(primary_color=COLOR)
    set_organization(databases, brand.provisioned, "tier", "starter")
    set_organization(databases, brand.provisioned, "overrides", '{"white_label": true}')

    assert brand.shown()["primary_color"] == COLOR


def test_names_without_a_branding_get_one_answer(brand: Brand, databases: Databases, globex: Provisioned) -> None:
    brand.put(primary_color=COLOR)
    set_organization(databases, brand.provisioned, "status", "suspended")
    asks: list[Callable[[], object]] = [
        brand.ask,
        lambda: brand.ask(organization="acme"),
        lambda: brand.ask(organization="globex"),
        lambda: brand.ask(organization="unknown"),
        lambda: brand.ask(organization="not a name"),
        lambda: brand.ask(organization=UNKNOWN_ID),
        lambda: brand.ask(x_organization_id="no id"),
        lambda: brand.ask(host=f"unknown.{BASE_DOMAIN}"),
        lambda: brand.ask(organization="acme", x_organization_id=str(globex.organization.id)),
    ]

    answers = [ask() for ask in asks]

    assert answers == [answers[0]] * len(answers)


def test_contradicting_names_show_the_platforms(brand: Brand, globex: Provisioned) -> None:
    brand.put(primary_color=COLOR)

    answer = brand.ask(organization="acme", x_organization_id=str(globex.organization.id))

    assert answer.document == DEFAULT


def test_answer_is_cached_by_its_names(brand: Brand) -> None:
    brand.put(primary_color=COLOR)

    answer = brand.ask(organization="acme")

    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["vary"] == "X-Organization-ID, X-Forwarded-Host"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"] == "application/json"


def test_known_version_is_304_until_it_changes(brand: Brand) -> None:
    tag = brand.ask(organization="acme").headers["etag"]

    same = brand.ask(organization="acme", if_none_match=f'"other", W/{tag}')
    brand.put(primary_color=COLOR)
    changed = brand.ask(organization="acme", if_none_match=tag)

    assert (same.status, same.body, same.headers["etag"]) == (304, "", tag)
    assert same.headers["vary"] == "X-Organization-ID, X-Forwarded-Host"
    assert changed.status == 200
    assert changed.headers["etag"] != tag


def test_answer_to_a_body_is_kept_by_no_cache(brand: Brand) -> None:
    """A cache knows an answer by its URL. With a body, one organization's branding would stand at the URL of all."""
    brand.put(primary_color=COLOR)

    answer = brand.ask_with_body({"organization_id": str(brand.provisioned.organization.id)})

    assert answer.headers["cache-control"] == "no-store"


def test_refusal_is_kept_by_no_cache(brand: Brand) -> None:
    answer = brand.image_of(brand.provisioned.organization.id, "0" * 64)

    assert (answer.status, answer.headers["cache-control"]) == (404, "no-store")
