"""A public request finds the one organization that it names."""

import pytest

from tenancy.rules.named_organization import NamedOrganization
from tenancy.use_cases.organizations.find_named import find_named
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.sessions.named_organization import is_named
from tests.custom_domains import activate_domain, withdraw_domain
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


def test_custom_domain_finds_its_organization(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    ids = {each.organization.subdomain: each.organization.id for each in (acme, globex)}
    domains = {name: activate_domain(databases, each, f"track.{name}.example") for name, each in ids.items()}

    for name, organization_id in ids.items():
        own = frozenset({domains[name]})
        agreeing = [
            NamedOrganization(domains=own),
            NamedOrganization(domains=own, subdomains=frozenset({name})),
            NamedOrganization(domains=own, ids=frozenset({organization_id}), confirming=frozenset({name})),
            NamedOrganization(subdomains=frozenset({name}), confirming_domains=own),
            NamedOrganization(subdomains=frozenset({name}), domains=frozenset({"unknown.example"})),
        ]
        assert {find_named(databases.platform, named) for named in agreeing} == {organization_id}


def test_contradicting_custom_domain_finds_none(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    own = frozenset({activate_domain(databases, acme.organization.id, "track.acme.example")})
    other = frozenset({activate_domain(databases, globex.organization.id, "track.globex.example")})

    contradictory = [
        NamedOrganization(domains=own | other),
        NamedOrganization(domains=own, confirming_domains=other),
        NamedOrganization(domains=other, ids=frozenset({acme.organization.id})),
        NamedOrganization(domains=other, subdomains=frozenset({"acme"})),
        NamedOrganization(confirming_domains=other, subdomains=frozenset({"acme"})),
        NamedOrganization(domains=own, subdomains=frozenset({"unknown"})),
        NamedOrganization(domains=own, is_unreadable=True),
    ]

    assert {find_named(databases.platform, named) for named in contradictory} == {None}


def test_forwarded_custom_domain_selects_none(databases: Databases, acme: Provisioned) -> None:
    own = frozenset({activate_domain(databases, acme.organization.id, "track.acme.example")})

    named = NamedOrganization(domains=frozenset({"unknown.example"}), confirming_domains=own)

    assert find_named(databases.platform, named) is None


def test_withdrawn_custom_domain_selects_none_at_once(databases: Databases, acme: Provisioned) -> None:
    named = NamedOrganization(domains=frozenset({activate_domain(databases, acme.organization.id, "a.acme.example")}))
    before = find_named(databases.platform, named)

    withdraw_domain(databases, "a.acme.example")

    assert (before, find_named(databases.platform, named)) == (acme.organization.id, None)


def test_token_is_accepted_where_no_name_contradicts_it(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    own = frozenset({activate_domain(databases, acme.organization.id, "track.acme.example")})
    other = frozenset({activate_domain(databases, globex.organization.id, "track.globex.example")})
    agreeing = [
        NamedOrganization(),
        NamedOrganization(domains=own),
        NamedOrganization(domains=frozenset({"unknown.example"})),
        NamedOrganization(confirming_domains=own, confirming=frozenset({"acme"})),
    ]
    contradictory = [
        NamedOrganization(domains=other),
        NamedOrganization(confirming_domains=other),
        NamedOrganization(confirming=frozenset({"globex"})),
        NamedOrganization(subdomains=frozenset({"unknown"})),
        NamedOrganization(is_unreadable=True),
    ]

    accepted = {is_named(databases.platform, named, acme.organization.id) for named in agreeing}
    refused = {is_named(databases.platform, named, acme.organization.id) for named in contradictory}

    assert (accepted, refused) == ({True}, {False})
