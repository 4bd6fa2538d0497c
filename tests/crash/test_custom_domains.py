"""Work on custom domains that crashes: the next run completes it, and makes nothing twice."""

from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from tenancy.rules import domain_life
from tenancy.rules.custom_domains import CustomDomain, CustomDomainStatus, DomainOwner, ServedApi
from tenancy.rules.durations import DOMAIN_EXECUTION_LOST_AFTER, DOMAIN_LEASE_TIME
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.custom_domains import find_custom_domain, insert_custom_domain, update_custom_domain
from tenancy.use_cases.domains.current_claim import Attempt
from tenancy.use_cases.domains.domain_stores import DomainStores
from tenancy.use_cases.domains.provision_custom_domain import (
    Outcome,
    attach_domain,
    check_certificate,
    check_records,
    check_routing,
    request_certificate,
)
from tenancy.use_cases.domains.release_custom_domain import release_custom_domain
from tenancy.use_cases.domains.start_domain_work import start_domain_work
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.crash.crashes import crashes
from tests.given import NOW, OPERATOR, REGION, AwsAccount, Databases, new_organization
from tests.handlers.custom_domains.aws_of_domains import AwsOfDomains, serving_aws_of_domains
from tests.handlers.custom_domains.conftest import CACHED_CLIENTS
from tests.handlers.custom_domains.life import StartedExecutions
from tests.handlers.functions import running
from tests.handlers.invocations import serving_invocations
from tests.name_server import NameServer, running_name_server
from tests.use_cases.erasing import domain_stores

pytestmark = pytest.mark.exhaustive

API = ServedApi(api_id="a1b2c3d4e5", stage="v1", access_mode="BASIC")
LATER = NOW + DOMAIN_LEASE_TIME  # the lease of a dead task has ended


class World:
    """Claims of new organizations, and the services that they need."""

    def __init__(self, stores: DomainStores, fetcher: Fetcher, names: NameServer, targets: OutboxTargets) -> None:
        self.stores, self.fetcher, self.names, self._targets = stores, fetcher, names, targets
        self._numbers = count()

    def provision(self) -> tuple[UUID, CustomDomain]:
        """Return a new organization with a claim whose records are set, and whose first attempt has begun."""
        number = next(self._numbers)
        new = new_organization(f"acme-{number}")
        acme: Provisioned = provision_organization(self.stores.platform_db, self._targets, new, OPERATOR, now=NOW)
        claim = CustomDomain.claim(acme.organization.id, f"data.acme-{number}.example", now=NOW)
        begun = domain_life.begin(claim, now=NOW)
        with self.stores.platform_db.tenant_transaction(acme.organization.id) as conn:
            insert_custom_domain(conn, acme.organization.id, claim)
            update_custom_domain(conn, acme.organization.id, begun)
        self.names.put(claim.record_name, "TXT", claim.record_value)
        self.names.put(claim.domain, "CNAME", f"{claim.target(self.stores.base_domain)}.")
        return acme.organization.id, begun

    def find(self, organization_id: UUID, domain: str) -> CustomDomain | None:
        with self.stores.platform_db.tenant_transaction(organization_id) as conn:
            return find_custom_domain(conn, organization_id, domain)

    def serve(self, organization_id: UUID, claim: CustomDomain, *, is_after_crash: bool = False) -> None:
        now, attempt = LATER if is_after_crash else NOW, attempt_at(organization_id, claim)
        assert check_records(self.stores, self.fetcher, attempt, now=now) is Outcome.DONE
        assert request_certificate(self.stores, attempt, now=now) is Outcome.DONE
        assert check_certificate(self.stores, attempt, now=now) is Outcome.DONE
        assert attach_domain(self.stores, API, attempt, now=now) is Outcome.DONE
        assert check_routing(self.stores, self.fetcher, attempt, now=now) is Outcome.DONE


def attempt_at(organization_id: UUID, claim: CustomDomain) -> Attempt:
    return Attempt(organization_id=organization_id, claim_id=claim.id, number=claim.attempt, execution="execution-1")


@pytest.fixture
def aws_of_domains(aws: AwsAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsOfDomains]:
    with serving_aws_of_domains(aws.endpoint_url) as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        for client in CACHED_CLIENTS:
            client.cache_clear()
        yield served
    for client in CACHED_CLIENTS:
        client.cache_clear()


@pytest.fixture
def world(
    databases: Databases,
    targets: OutboxTargets,
    aws: AwsAccount,
    aws_of_domains: AwsOfDomains,  # noqa: ARG001
) -> Iterator[World]:
    with running_name_server() as names:
        values = {"SECRETS_PREFIX": "tenancy/test", "STACK_NAME": "tenancy-test", "DNS_RESOLVER": names.address}
        with running("fetch", values) as fetch, serving_invocations(aws.endpoint_url, fetch) as url:
            client = AwsClient("lambda", REGION, url)
            yield World(domain_stores(databases), Fetcher(client, "fetch"), names, targets)
            client.close()


def test_domain_is_served_after_a_crash(world: World, aws_of_domains: AwsOfDomains) -> None:
    crashed = 0

    def run(state: tuple[UUID, CustomDomain]) -> None:
        world.serve(*state)

    for crash in crashes(world.provision, run):
        organization_id, claim = crash.state
        world.serve(organization_id, claim, is_after_crash=True)

        served = world.find(organization_id, claim.domain)
        assert served is not None
        assert served.status is CustomDomainStatus.ACTIVE
        assert list(aws_of_domains.mappings[claim.domain]) == ["v1"]
        own = [each for each in aws_of_domains.certificates.values() if each["DomainName"] == claim.domain]
        assert len(own) == 1
        crashed += 1
    assert crashed > 15


def test_domain_is_removed_after_a_crash(world: World, aws_of_domains: AwsOfDomains) -> None:
    crashed = 0

    def begin() -> tuple[UUID, CustomDomain]:
        organization_id, claim = world.provision()
        world.serve(organization_id, claim)
        served = world.find(organization_id, claim.domain)
        assert served is not None
        removing = domain_life.release(served, to=CustomDomainStatus.REMOVING, now=NOW)
        with world.stores.platform_db.tenant_transaction(organization_id) as conn:
            update_custom_domain(conn, organization_id, removing)
        return organization_id, removing

    def run(state: tuple[UUID, CustomDomain]) -> None:
        organization_id, claim = state
        release_custom_domain(world.stores, attempt_at(organization_id, claim), now=NOW)

    for crash in crashes(begin, run):
        organization_id, claim = crash.state
        if world.find(organization_id, claim.domain) is not None:
            release_custom_domain(world.stores, attempt_at(organization_id, claim), now=LATER)

        owner = DomainOwner(organization_id=organization_id, claim_id=claim.id, domain=claim.domain, target="")
        assert world.find(organization_id, claim.domain) is None
        assert owner.domain not in aws_of_domains.domain_names
        assert not [each for each in aws_of_domains.certificates.values() if each["DomainName"] == claim.domain]
        crashed += 1
    assert crashed > 6


def test_work_is_started_after_a_crash(world: World) -> None:
    crashed = 0

    def run(_state: Any) -> None:  # noqa: ANN401
        assert start_domain_work(world.stores.platform_db.catalogue, StartedExecutions(), now=NOW).failures == []

    for crash in crashes(world.provision, run):
        organization_id, claim = crash.state
        executions = StartedExecutions()
        later = NOW + DOMAIN_EXECUTION_LOST_AFTER
        assert start_domain_work(world.stores.platform_db.catalogue, executions, now=later).failures == []

        due = world.find(organization_id, claim.domain)
        assert due is not None
        assert due.attempt == max(each["attempt"] for each in executions.inputs if each["claim_id"] == str(claim.id))
        crashed += 1
    assert crashed > 1
