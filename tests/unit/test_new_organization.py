"""The request to provision an organization: accepted and refused values."""

from typing import Any

import pytest
from pydantic import ValidationError

from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.tiers import Tier
from tests.members import for_each

ACME = {
    "name": "Acme",
    "subdomain": "acme",
    "admin_email": "admin@acme.example",
    "admin_password": "correct horse battery staple",
}


def parse(**changes: Any) -> NewOrganization:  # noqa: ANN401 - also invalid values
    return NewOrganization.model_validate(ACME | changes)


def test_default_tier_is_starter() -> None:
    assert parse().tier is Tier.STARTER


@pytest.mark.parametrize("tier", Tier)
def test_each_tier_can_be_chosen(tier: Tier) -> None:
    assert parse(tier=tier.value).tier is tier


def test_subdomain_and_address_become_lower_case() -> None:
    new = parse(subdomain="ACME", admin_email="Admin@Acme.Example")
    assert (new.subdomain, new.admin_email) == ("acme", "admin@acme.example")


@pytest.mark.parametrize("domain", ["bücher.example", "BU\u0308CHER.example", "xn--bcher-kva.example"])
def test_domain_of_an_address_becomes_punycode(domain: str) -> None:
    assert parse(admin_email=f"admin@{domain}").admin_email == "admin@xn--bcher-kva.example"


def test_name_keeps_its_characters() -> None:
    assert parse(name="  Ácme & Søns „GmbH“ 株式会社 ").name == "Ácme & Søns „GmbH“ 株式会社"


def test_password_keeps_its_spaces() -> None:
    password = "  correct horse battery staple "
    assert parse(admin_password=password).admin_password.get_secret_value() == password


def test_name_becomes_composed() -> None:
    assert parse(name="A\u0301cme").name == "\u00c1cme"


def test_password_is_normalized() -> None:
    for typed in ("Stra\u00dfe Pferd Batterie \ufb01", "\uff33tra\u00dfe Pferd\u00a0Batterie fi"):
        assert parse(admin_password=typed).admin_password.get_secret_value() == "Stra\u00dfe Pferd Batterie fi"


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd1234",
        "qwertyuiop123",
        "aaaaaaaaaaaa",
        "\uff50\uff41\uff53\uff53word1234",
        "acme-acme-acme",
        "admin@acme.example",
        "Globex Corporation",
        "a" * 256,
    ],
)
def test_weak_password_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(ValidationError) as error:
        parse(name="Globex Corporation", admin_password=password)

    [entry] = error.value.errors(include_input=False)

    assert (entry["loc"], entry["type"]) == (("admin_password",), "too_common")
    assert password not in entry["msg"]


def test_password_too_long_after_normalization_is_refused() -> None:
    with pytest.raises(ValidationError) as error:
        parse(admin_password="\ufdfa" * 20)

    assert [entry["type"] for entry in error.value.errors()] == ["password_length"]


def test_long_password_is_accepted() -> None:
    password = "".join(f"{number * 7919:x}" for number in range(60))[:256]
    assert parse(admin_password=password).admin_password.get_secret_value() == password


def test_password_is_never_shown() -> None:
    new = parse()

    for shown in (repr(new), str(new), repr(new.model_dump())):
        assert ACME["admin_password"] not in shown


@pytest.mark.parametrize("field", sorted(ACME))
def test_missing_field_is_refused(field: str) -> None:
    with pytest.raises(ValidationError) as error:
        NewOrganization.model_validate({name: value for name, value in ACME.items() if name != field})

    assert [entry["loc"] for entry in error.value.errors()] == [(field,)]


@for_each(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 256),
        ("name", "Acme\nBcc: all@globex.example"),
        ("name", "Acme\rInc"),
        ("name", "Acme\0Inc"),
        ("name", "Acme\u2028Inc"),
        ("name", "Acme \u202eInc"),
        ("name", "\ud800"),
        ("name", "\u0344" * 128),
        ("name", 5),
        ("name", None),
        ("name", ["Acme"]),
        ("subdomain", ""),
        ("subdomain", "-acme"),
        ("subdomain", "acme-"),
        ("subdomain", "a.b"),
        ("subdomain", "acmé"),
        ("subdomain", "\uff41cme"),
        ("subdomain", "\u212acme"),
        ("subdomain", "xn--acme-9xa"),
        ("subdomain", "ab--acme"),
        ("subdomain", "a" * 64),
        ("subdomain", 5),
        ("admin_email", "admin"),
        ("admin_email", "admin@" + "\u0315\u0300" * 120_000),
        ("admin_email", "admin@"),
        ("admin_email", "@acme.example"),
        ("admin_email", "admin@acme.example\nBcc: all@globex.example"),
        ("admin_email", "admin@acme.example,all@globex.example"),
        ("admin_email", f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 63}.example"),
        ("admin_email", "müller@firma.example"),
        ("admin_email", "\uff41dmin@acme.example"),
        ("admin_email", f"{'a' * 64}@{'.'.join(['ü' * 40] * 4)}.example"),
        ("admin_email", None),
        ("admin_password", "x" * 11),
        ("admin_password", "x" * 257),
        ("admin_password", "x" * 20 + "\ud800"),
        ("admin_password", 123456789012),
        ("tier", "platinum"),
        ("tier", "Starter"),
        ("tier", None),
        ("tier", -1),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_wrong_field_is_named(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as error:
        parse(**{field: value})

    assert [entry["loc"] for entry in error.value.errors()] == [(field,)]


def test_new_organization_is_immutable() -> None:
    with pytest.raises(ValidationError):
        parse().name = "Globex"
