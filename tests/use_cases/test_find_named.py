"""A public request finds the one organization that it names."""

import pytest

from tenancy.rules.named_organization import NamedOrganization
from tenancy.use_cases.organizations.find_named import find_named
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases


def test_id_and_subdomain_find_their_organization(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    for each in (acme.organization, globex.organization):
        by_id = NamedOrganization(ids=frozenset({each.id}))
        by_both = NamedOrganization(ids=frozenset({each.id}), subdomains=frozenset({each.subdomain}))
        by_subdomain = NamedOrganization(subdomains=frozenset({each.subdomain}))

        assert {find_named(databases.platform, named) for named in (by_id, by_both, by_subdomain)} == {each.id}


def test_contradictory_names_find_none(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    first, second = acme.organization, globex.organization
    ids, subdomains = frozenset({first.id}), frozenset({first.subdomain})

    contradictory = [
        NamedOrganization(ids=ids, subdomains=frozenset({second.subdomain})),
        NamedOrganization(ids=ids | {second.id}),
        NamedOrganization(subdomains=subdomains | {second.subdomain}),
        NamedOrganization(ids=ids, subdomains=frozenset({"unknown"})),
        NamedOrganization(ids=ids, confirming=frozenset({second.subdomain})),
        NamedOrganization(ids=ids, is_unreadable=True),
    ]

    assert {find_named(databases.platform, named) for named in contradictory} == {None}


@pytest.mark.usefixtures("acme")
def test_unknown_names_find_none(databases: Databases) -> None:
    assert find_named(databases.platform, NamedOrganization(subdomains=frozenset({"unknown"}))) is None
    assert find_named(databases.platform, NamedOrganization()) is None
