"""The rules for subdomains, and the gateway keys of organizations."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.organization import (
    RESERVED_SUBDOMAINS,
    gateway_key_value,
    is_subdomain,
    subdomain_digest,
    subdomain_skeleton,
)
from tenancy.rules.reserved_subdomains import is_reserved
from tenancy.rules.well_known_hosts import WELL_KNOWN
from tests.members import for_each


@pytest.mark.parametrize("text", ["acme", "a", "0", "a-b", "a--b", "abc--d", "globex-2", "9lives", "a" * 63])
def test_one_dns_label_is_a_subdomain(text: str) -> None:
    assert is_subdomain(text)


@for_each(
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
        "ab--acme",
        "bq--abc",
        "a---b",
        "12--34",
        "'; DROP TABLE organizations; --",
        "*",
        "²",
    ],
)
def test_other_text_is_no_subdomain(text: str) -> None:
    assert not is_subdomain(text)


@given(st.text(max_size=70))
def test_subdomain_has_only_letters_digits_and_inner_hyphens(text: str) -> None:
    expected = (
        1 <= len(text) <= 63
        and set("abcdefghijklmnopqrstuvwxyz0123456789-").issuperset(text)
        and not text.startswith("-")
        and text[2:4] != "--"
        and not text.endswith("-")
    )

    assert is_subdomain(text) == expected


@pytest.mark.parametrize("name", ["www", "api", "admin", "console", "login", "sso", "auth", "status", "mail", "smtp"])
def test_platform_names_are_reserved(name: str) -> None:
    assert name in RESERVED_SUBDOMAINS


@for_each("name", sorted(RESERVED_SUBDOMAINS))
def test_reserved_name_is_a_valid_label(name: str) -> None:
    assert is_subdomain(name)


@pytest.mark.parametrize(
    "name", ["admin", "adm1n", "supp0rt", "log-in", "l0g-1n", "rnail", "vvvvvv", "vv-ww", "a-p-i", "1nfo"]
)
def test_lookalike_of_a_platform_name_is_reserved(name: str) -> None:
    assert is_reserved(name)


@for_each(
    "name",
    [
        "mta-sts", "mtasts", "openpgpkey", "autodiscover", "autoconfig", "wpad", "isatap", "localhost", "localdomain",
        "dmarc", "dkim", "bimi", "tls-rpt", "acme-challenge", "lyncdiscover", "caldav", "submission", "imaps", "pop3",
        "ldap", "ntp", "whois", "news", "ns", "ns5", "ns-5", "ns05", "ns1337", "nsl2", "dns2", "www2",
        "www-3", "vvvvvv2",
        "caldavs", "carddavs", "turns", "sips", "kdc1", "turn1", "stun2", "exchange1", "time1", "wpad1", "wpad-02",
        "mail-in", "mailin", "smtp-out", "mail-gw", "mail-gw2", "mx-in", "smtp-relay-01", "mail-outbound", "smtpauth",
        "api2", "login-1", "admin1", "adm1n7", "sso1", "auth1", "auth-01", "portal3", "kerberos2", "owa1", "xmpp1",
        "dev0", "dev0l", "api-l0", "app01", "nsl",
        "mx", "mx0l", "mx10", "mail2", "mail-01", "smtp3", "rnail7", "imap4", "pop2", "ftp9", "relay1", "vpn12", "web1",
        "server-7", "host1", "db2", "dc1", "cdn4", "webmail2", "proxy1",
    ],
)  # fmt: skip
def test_host_that_is_known_below_any_domain_is_reserved(name: str) -> None:
    assert is_subdomain(name)
    assert is_reserved(name)


@for_each("name", sorted(WELL_KNOWN | RESERVED_SUBDOMAINS))
def test_every_host_is_reserved_with_any_number(name: str) -> None:
    for spelled in (name, f"{name}1", f"{name}-2", f"{name}0", f"{name}99", name.replace("-", "")):
        assert is_subdomain(spelled)
        assert is_reserved(spelled)


@for_each(
    "name",
    [
        "acme", "globex", "administration-of-acme", "my-api", "supporters", "acme-1", "mailchimp", "webflow", "nsync",
        "newsroom", "hosting-acme", "2mail", "mx5-parts", "dbs", "timers", "www-acme", "popcorn", "localacme",
        "apis", "api2go", "1admin", "login-acme", "mailing", "smtp-acme", "timeout", "testing", "turnkey", "statsy",
        "devo", "pho", "medial", "testo", "homeo",
    ],
)  # fmt: skip
def test_another_name_is_not_reserved(name: str) -> None:
    assert not is_reserved(name)


@given(st.uuids())
def test_lookalike_of_an_id_is_reserved(organization_id: UUID) -> None:
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


def test_gateway_keys_are_unique_and_of_allowed_length() -> None:
    acme, globex = uuid4(), uuid4()

    keys = {
        gateway_key_value(organization_id, generation) for organization_id in (acme, globex) for generation in (1, 2)
    }

    assert len(keys) == 4
    assert all(20 <= len(key) <= 128 for key in keys)
