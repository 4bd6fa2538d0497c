"""Claims of values that are unique among several databases, while values of earlier times have no entry."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tenancy.errors import DomainTakenError
from tenancy.rules.homes import Entry, EntryKind
from tenancy.rules.named_organization import NamedOrganization
from tenancy.stores.postgres.platform.catalogue import upsert_entries
from tenancy.use_cases.homes import claim_values as claims
from tenancy.use_cases.homes.claim_values import claim_domain, claim_values
from tenancy.use_cases.organizations.find_named import find_named
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.restore.claim_again import claim_again
from tenancy.use_cases.sso.find_organization import find_of_domain_or_pretend
from tests.use_cases.two_homes import TwoHomes, homes

__all__ = ["homes"]  # a fixture

DOMAIN = "acme.example"
PROOF = Entry(EntryKind.EMAIL_DOMAIN, DOMAIN)
INSERT_PROOF = """
    INSERT INTO email_domains (organization_id, domain, id, token, created_at, verified_at, check_at)
    VALUES (%s, %s, gen_random_uuid(), 'token', now(), now(), now())
"""


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def acme(homes: TwoHomes, targets: OutboxTargets) -> Provisioned:
    """Return an organization in `main` that has proven a domain when there was one database."""
    provisioned = homes.provision(targets, "acme", "main")
    homes.execute(homes.main, INSERT_PROOF, provisioned.organization.id, DOMAIN)
    return provisioned


@pytest.fixture
def globex(homes: TwoHomes, targets: OutboxTargets, acme: Provisioned) -> Provisioned:  # noqa: ARG001 - is first
    return homes.provision(targets, "globex", "second")


def claim_of(homes: TwoHomes, organization_id: UUID) -> None:
    claim_domain(homes.platform, organization_id, PROOF.kind, DOMAIN, record_name="_tenancy.acme.example", now=now())


def test_refused_claim_leaves_no_entry(homes: TwoHomes, acme: Provisioned, globex: Provisioned) -> None:
    before = homes.entries(globex.organization.id)

    with pytest.raises(DomainTakenError):
        claim_of(homes, globex.organization.id)

    assert homes.entries(globex.organization.id) == before
    assert find_of_domain_or_pretend(homes.platform, DOMAIN) == acme.organization.id


def test_value_that_is_stored_during_the_claim_is_refused(
    homes: TwoHomes, monkeypatch: pytest.MonkeyPatch, acme: Provisioned, globex: Provisioned
) -> None:
    def store_it_afterwards(*values: object) -> Entry | None:
        monkeypatch.setattr(claims, "_find_used", find_used)
        homes.execute(homes.main, "DELETE FROM email_domains")
        found = find_used(*values)  # type: ignore[arg-type]
        homes.execute(homes.main, INSERT_PROOF, acme.organization.id, DOMAIN)
        return found

    find_used, before = claims._find_used, homes.entries(globex.organization.id)
    monkeypatch.setattr(claims, "_find_used", store_it_afterwards)

    with pytest.raises(DomainTakenError):
        claim_of(homes, globex.organization.id)

    assert homes.entries(globex.organization.id) == before


def test_refusal_leaves_the_entries_of_earlier_claims(homes: TwoHomes, globex: Provisioned) -> None:
    organization_id, domain = uuid4(), Entry(EntryKind.CUSTOM_DOMAIN, "initech.example")
    earlier, later = now() - timedelta(hours=1), Entry(EntryKind.CUSTOM_DOMAIN, "www.initech.example")
    abandoned = Entry(EntryKind.CUSTOM_DOMAIN, "a.initech.example")
    taken = Entry(EntryKind.SUBDOMAIN, "initech")
    claim_values(homes.platform, organization_id, [domain], now=earlier)
    claim_values(homes.platform, uuid4(), [abandoned], now=earlier)
    claim_values(homes.platform, globex.organization.id, [taken], now=now())

    wanted = [domain, abandoned, later, taken]
    assert claim_values(homes.platform, organization_id, wanted, now=now()) == taken

    assert homes.entries(organization_id) == {domain.kind: domain.value}


def test_claim_whose_process_died_hides_no_domain(homes: TwoHomes, acme: Provisioned, globex: Provisioned) -> None:
    with homes.platform.catalogue.transaction() as conn:
        upsert_entries(conn, globex.organization.id, [PROOF], now=now())

    assert find_of_domain_or_pretend(homes.platform, DOMAIN) == acme.organization.id


@pytest.mark.usefixtures("globex")
def test_claim_whose_process_died_hides_no_subdomain(homes: TwoHomes, acme: Provisioned) -> None:
    homes.execute(homes.main, "DELETE FROM catalogue_entries")
    with homes.platform.catalogue.transaction() as conn:
        upsert_entries(conn, uuid4(), [Entry(EntryKind.SUBDOMAIN, "acme")], now=now())

    named = NamedOrganization(subdomains=frozenset({"acme"}))
    assert find_named(homes.platform, named) == acme.organization.id


def test_replay_claims_all_values_but_those_of_others(
    homes: TwoHomes, monkeypatch: pytest.MonkeyPatch, acme: Provisioned, globex: Provisioned
) -> None:
    monkeypatch.setattr("tenancy.use_cases.restore.claim_again.PROGRESS_STEP", 1)
    lines: list[str] = []
    homes.execute(homes.second, INSERT_PROOF, globex.organization.id, DOMAIN)
    before = homes.entries(acme.organization.id)
    homes.execute(homes.main, "DELETE FROM catalogue_entries")

    faults = claim_again(homes.platform, [acme.organization.id], now=now(), say=lines.append)

    assert lines == ["the values of 1 of 1 organizations are claimed again"]
    assert faults == [f"{acme.organization.id}: another organization has its email_domain {DOMAIN!r}, too"]
    assert homes.entries(acme.organization.id) == before
