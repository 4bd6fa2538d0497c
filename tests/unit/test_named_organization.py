"""The organization that a public request names: all names must agree."""

from uuid import UUID

import pytest

from tenancy.rules.host_names import MAX_HOST_CHARACTERS, PlatformHosts
from tenancy.rules.named_organization import NamedOrganization, read_names
from tenancy.rules.resolution import MAX_MENTIONS, Mention, MentionSource

ACME, GLOBEX = (UUID(f"0c000000-0000-4000-8000-0000000000{digits}") for digits in ("a1", "b2"))
HOSTS = PlatformHosts(base_domain="tenancy.example", api_host="api.elsewhere.example:443")
HEADER, HOST, FORWARDED = MentionSource.HEADER, MentionSource.HOST, MentionSource.FORWARDED_HOST


def read(*mentions: tuple[MentionSource, str], organization: str | None = None) -> NamedOrganization:
    listed = (Mention(source=source, text=text) for source, text in mentions)
    return read_names(listed, organization=organization, hosts=HOSTS)


@pytest.mark.parametrize(
    "named",
    [
        read((HEADER, str(ACME))),
        read((HEADER, str(ACME).upper())),
        read((HOST, "acme.tenancy.example")),
        read((HOST, "ACME.tenancy.example.:443")),
        read(organization="acme"),
        read(organization="ACME"),
        read(organization=str(ACME)),
        read(
            (HEADER, str(ACME)),
            (HOST, "acme.tenancy.example"),
            (FORWARDED, "acme.tenancy.example"),
            organization="acme",
        ),
    ],
)
def test_name_of_the_organization_agrees(named: NamedOrganization) -> None:
    assert not named.is_missing
    assert named.agrees(ACME, "acme")
    assert not named.agrees(GLOBEX, "globex")


@pytest.mark.parametrize(
    "named",
    [
        read((HEADER, str(ACME)), organization="globex"),
        read((HEADER, str(ACME)), (HEADER, str(GLOBEX))),
        read((HOST, "globex.tenancy.example"), organization="acme"),
        read((FORWARDED, "globex.tenancy.example"), organization="acme"),
        read((HEADER, ""), organization="acme"),
        read((HEADER, "acme"), organization="acme"),
        read((HOST, "acme.tenancy.example:443@globex.tenancy.example"), organization="acme"),
        read((HOST, "x" * MAX_HOST_CHARACTERS + ".tenancy.example"), organization="acme"),
        read((HOST, "a.acme.tenancy.example"), organization="acme"),
        read(*[(HEADER, str(ACME))] * (MAX_MENTIONS + 1)),
        read(organization=""),
        read(organization="acme\n"),
    ],
)
def test_names_that_disagree_name_no_organization(named: NamedOrganization) -> None:
    assert not named.is_missing
    assert not named.agrees(ACME, "acme")


@pytest.mark.parametrize(
    "named",
    [
        read(),
        read((HOST, "api.tenancy.example")),
        read((HOST, "tenancy.example")),
        read((HOST, "api.elsewhere.example")),
        read((HOST, "API.elsewhere.example.:8443")),
        read((HOST, "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com")),
        read((HOST, "localhost:3000")),
        read((HOST, "127.0.0.1:3000")),
        read((HOST, "[2001:db8::1]:443")),
        read((HOST, "gateway:3000")),
        read((FORWARDED, "acme.tenancy.example")),
        read((FORWARDED, "track.acme.example")),
    ],
)
def test_hosts_of_the_platform_name_no_organization(named: NamedOrganization) -> None:
    assert named.is_missing


@pytest.mark.parametrize("host", ["track.acme.example", "TRACK.acme.example.:443"])
def test_other_host_selects_as_a_custom_domain(host: str) -> None:
    named = read((HOST, host))

    assert (named.is_missing, named.is_empty) == (False, False)
    assert named.domains == named.all_domains == {"track.acme.example"}
    assert named.selects(["track.acme.example"])
    assert not named.selects(["track.globex.example"])


@pytest.mark.parametrize(
    "mention",
    [
        (FORWARDED, "track.acme.example"),
        (HOST, "track.acme.example.."),
        (HOST, "track.acme.exampl\uff45"),
        (HOST, "track.acme.example:https"),
    ],
)
def test_host_with_another_reading_selects_none(mention: tuple[MentionSource, str]) -> None:
    named = read(mention)

    assert (named.is_missing, named.is_empty) == (True, False)
    assert named.confirming_domains == named.all_domains == {"track.acme.example"}
    assert not named.selects(["track.acme.example"])


@pytest.mark.parametrize(
    "host",
    [
        "",
        "acme",
        "track acme.example",
        "track_.acme.example",
        "10.0.0.1",
        "1.2.3.0x7f",
        "-a.example",
        "a" * 64 + ".example",
        "\u00fcber.example",
    ],
)
def test_host_that_is_no_domain_names_nothing(host: str) -> None:
    assert read((HOST, host)).is_empty
