"""The organization that a public request names: all names must agree."""

from uuid import UUID

import pytest

from tenancy.rules.named_organization import NamedOrganization, read_names
from tenancy.rules.resolution import MAX_HOST_CHARACTERS, MAX_MENTIONS, Mention, MentionSource

ACME, GLOBEX = (UUID(f"0c000000-0000-4000-8000-0000000000{digits}") for digits in ("a1", "b2"))
HEADER, HOST, FORWARDED = MentionSource.HEADER, MentionSource.HOST, MentionSource.FORWARDED_HOST


def read(*mentions: tuple[MentionSource, str], organization: str | None = None) -> NamedOrganization:
    listed = (Mention(source=source, text=text) for source, text in mentions)
    return read_names(listed, organization=organization, base_domain="tenancy.example")


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
        read((HOST, "api.example")),
        read((FORWARDED, "acme.tenancy.example")),
    ],
)
def test_hosts_of_the_platform_name_no_organization(named: NamedOrganization) -> None:
    assert named.is_missing
