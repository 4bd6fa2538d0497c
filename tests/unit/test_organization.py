"""What a subdomain may look like, and the key that API Gateway meters an organization by."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.organization import (
    RESERVED_SUBDOMAINS,
    gateway_key_value,
    is_reserved,
    is_subdomain,
    subdomain_digest,
    subdomain_skeleton,
)


@pytest.mark.parametrize("text", ["acme", "a", "0", "a-b", "a--b", "globex-2", "9lives", "a" * 63])
def test_one_dns_label_is_a_subdomain(text: str) -> None:
    assert is_subdomain(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-acme",
        "acme-",
        "-",
        "a" * 64,
        "acme\n",
        "\nacme",
        "acme ",
        "ACME",
        "a.b",
        "a_b",
        "a/b",
        "acmé",
        "\uff41cme",
        "acme\0",
        "xn--acme-9xa",
        "'; DROP TABLE organizations; --",
        "*",
        "²",
    ],
)
def test_anything_else_is_no_subdomain(text: str) -> None:
    assert not is_subdomain(text)


@given(st.text(max_size=70))
def test_a_subdomain_has_only_letters_digits_and_inner_hyphens(text: str) -> None:
    expected = (
        1 <= len(text) <= 63
        and set("abcdefghijklmnopqrstuvwxyz0123456789-").issuperset(text)
        and not text.startswith(("-", "xn--"))
        and not text.endswith("-")
    )
    assert is_subdomain(text) == expected


@pytest.mark.parametrize("name", ["www", "api", "admin", "console", "login", "sso", "auth", "status", "mail", "smtp"])
def test_names_of_the_platforms_own_are_reserved(name: str) -> None:
    assert name in RESERVED_SUBDOMAINS


@pytest.mark.parametrize("name", sorted(RESERVED_SUBDOMAINS))
def test_a_reserved_name_could_be_a_subdomain(name: str) -> None:
    assert is_subdomain(name)


@pytest.mark.parametrize(
    "name", ["admin", "adm1n", "supp0rt", "log-in", "l0g-1n", "rnail", "vvvvvv", "vv-ww", "a-p-i", "1nfo"]
)
def test_what_is_taken_for_a_name_of_the_platforms_own_is_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["acme", "globex", "administration-of-acme", "my-api", "supporters", "acme-1"])
def test_another_name_is_not_reserved(name: str) -> None:
    assert not is_reserved(name)


@given(st.uuids())
def test_what_looks_like_an_id_is_kept_for_the_erased(organization_id: UUID) -> None:
    assert is_reserved(str(organization_id))
    assert is_reserved(subdomain_skeleton(str(organization_id)))


@given(st.uuids(), st.uuids())
def test_two_ids_never_look_the_same(acme: UUID, globex: UUID) -> None:
    assert (subdomain_skeleton(str(acme)) == subdomain_skeleton(str(globex))) == (acme == globex)


@pytest.mark.parametrize(
    ("one", "other"),
    [("acme-0", "acme-o"), ("globex1", "globexl"), ("globexi", "globexl"), ("acrne", "acme"), ("vv", "w")],
)
def test_subdomains_that_look_the_same_have_one_skeleton(one: str, other: str) -> None:
    assert subdomain_skeleton(one) == subdomain_skeleton(other)
    assert subdomain_digest(one) == subdomain_digest(other)


def test_a_gateway_key_has_a_length_that_api_gateway_takes_and_no_other_has_it() -> None:
    acme, globex = uuid4(), uuid4()
    keys = {
        gateway_key_value(organization_id, generation) for organization_id in (acme, globex) for generation in (1, 2)
    }
    assert len(keys) == 4
    assert all(20 <= len(key) <= 128 for key in keys)
