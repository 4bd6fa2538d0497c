"""PUT /v1/branding and GET /v1/branding/settings: rights, values and audit records."""

import json

import pytest

from tenancy.rules.branding.branding import DEFAULT_COLORS
from tenancy.rules.permissions import BRANDING_WRITE, PERMISSIONS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.branding.requests import Brand, set_organization
from tests.handlers.functions import superuser
from tests.handlers.requests import called_by, problem_of, sample

RECORDS = "SELECT action, target FROM audit_log WHERE organization_id = %s AND action LIKE 'branding.%%'"
WARNING = "Low contrast with white: 1.51:1. Edges, icons and other marks need 3:1 (WCAG 2.2, 1.4.11)."
ALL = {
    "primary_color": "#7c3aed",
    "secondary_color": "#0f766e",
    "accent_color": "#ffcc00",
    "css_variables": {"--font-family": "Inter, sans-serif", "--spacing": "0.5rem", "--text-color": "#111111"},
    "sender_name": "Ácme 株式会社",
    "sender_address": "hello@acme.example",
}


def records(databases: Databases, provisioned: Provisioned) -> list[tuple[str, str]]:
    with superuser(databases) as conn:
        return conn.execute(RECORDS + " ORDER BY occurred_at", (provisioned.organization.id,)).fetchall()


def test_all_values_are_stored_and_shown(brand: Brand) -> None:
    answer = brand.put(**ALL)

    assert brand.stored() == answer
    assert {name: answer[name] for name in ALL} == ALL
    assert answer["included"] is True


def test_values_are_stored_in_one_spelling(brand: Brand) -> None:
    answer = brand.put(
        primary_color="#ABCDEF",
        css_variables={"--font-family": " times new roman ,  SERIF", "--link-color": "#AABBCC"},
        sender_name="  Acme  ",
        sender_address="Hello@ACME.example",
    )

    assert answer["primary_color"] == "#abcdef"
    assert answer["css_variables"] == {"--font-family": "Times New Roman, serif", "--link-color": "#aabbcc"}
    assert (answer["sender_name"], answer["sender_address"]) == ("Acme", "hello@acme.example")


def test_missing_member_keeps_its_value(brand: Brand) -> None:
    brand.put(**ALL)

    changed = brand.put(accent_color="#123456", css_variables={"--spacing": "1px"})

    kept = {"--font-family": "Inter, sans-serif", "--text-color": "#111111"}
    assert changed["css_variables"] == {**kept, "--spacing": "1px"}
    assert {name: changed[name] for name in ALL if name not in {"accent_color", "css_variables"}} == {
        name: ALL[name] for name in ALL if name not in {"accent_color", "css_variables"}
    }


def test_null_removes_a_value(brand: Brand) -> None:
    brand.put(**ALL)

    some = brand.put(css_variables={"--spacing": None}, sender_name=None)
    none = brand.put(**dict.fromkeys(ALL))

    assert sorted(some["css_variables"]) == ["--font-family", "--text-color"]
    assert some["sender_name"] is None
    assert {name: none[name] for name in ALL} == {**dict.fromkeys(ALL), "css_variables": {}}


def test_contrast_has_numbers_and_never_refuses(brand: Brand) -> None:
    contrast = brand.put(accent_color="#ffcc00")["contrast"]

    assert contrast["accent_color"] == {
        "color": "#ffcc00",
        "white": 1.51,
        "black": 13.88,
        "text_color": "#000000",
        "warning": WARNING,
    }
    primary = contrast["primary_color"]
    assert (primary["color"], primary["warning"]) == (DEFAULT_COLORS["primary_color"], None)


def test_change_needs_the_entitlement(brand: Brand, databases: Databases) -> None:
    set_organization(databases, brand.provisioned, "tier", "growth")

    problem = brand.refused({"primary_color": "#123456"}, "not_in_tier", 403)

    assert (problem["tier"], problem["entitlement"]) == ("growth", "white_label")


def test_downgrade_since_the_admission_refuses_the_change(brand: Brand, databases: Databases) -> None:
    """Redis does not know the new tier yet."""
    brand.put(primary_color="#111111")
    set_organization(databases, brand.provisioned, "tier", "growth")

    brand.refused({"primary_color": "#222222"}, "not_in_tier", 403)

    assert brand.stored()["primary_color"] == "#111111"


def test_lower_tier_sees_what_is_stored(brand: Brand, databases: Databases) -> None:
    stored = brand.put(**ALL)
    set_organization(databases, brand.provisioned, "tier", "growth")

    assert brand.stored() == {**stored, "included": False}


@pytest.mark.parametrize("case", ["change", "show_stored"])
def test_routes_need_their_permission(brand: Brand, case: str) -> None:
    tenant = tenant_of(brand.provisioned, scopes=PERMISSIONS - {BRANDING_WRITE})
    request = called_by(sample("branding", case), tenant)

    problem_of(brand.function(request), request, 403, "forbidden")


def test_deleted_organization_is_not_changed(brand: Brand, databases: Databases) -> None:
    set_organization(databases, brand.provisioned, "status", "erasing")

    problem = brand.refused({"primary_color": "#123456"}, "organization_inactive", 403)

    assert problem["status"] == 403


def test_change_is_recorded_by_the_names_of_members(brand: Brand, databases: Databases) -> None:
    brand.put(**ALL)
    brand.put(**ALL)
    brand.put(sender_name=None, accent_color="#000000")

    assert records(databases, brand.provisioned) == [
        ("branding.changed", ", ".join(sorted(ALL, key=list(ALL).index))),
        ("branding.changed", "accent_color, sender_name"),
    ]


@pytest.mark.parametrize("body", [{}, {"logo": "x"}, {"css_variables": []}, {"primary_color": 1}])
def test_other_bodies_are_refused(brand: Brand, body: object) -> None:
    assert brand.refused(body)["errors"] != []


def test_brandings_of_two_organizations_are_apart(brand: Brand, globex: Provisioned) -> None:
    other = Brand(function=brand.function, provisioned=globex)
    brand.put(primary_color="#111111", sender_name="Acme")
    other.put(primary_color="#222222")

    assert brand.stored()["primary_color"] == "#111111"
    assert other.stored()["primary_color"] == "#222222"
    assert other.stored()["sender_name"] is None
    assert "#111111" not in json.dumps(other.shown())
