"""The life of organizations whose homes are different databases: the same as with one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from scripts.stack import postgres
from tenancy.errors import DomainTakenError, SubdomainTakenError, UnauthenticatedError, UnavailableError
from tenancy.rules.access_tokens.verify import TokenClaims
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.homes import ENTERING, Entry, EntryKind
from tenancy.rules.keys.api_keys import ApiKey, KeyType, generate_key
from tenancy.rules.named_organization import NamedOrganization
from tenancy.rules.tenant import Tenant
from tenancy.rules.usage import Period
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.deployed_settings import DeployedSettings
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.homes import RoutedDatabases, UnknownDatabaseError
from tenancy.stores.postgres.platform.catalogue import upsert_entries
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.audit.read_audit import verify_audit_log
from tenancy.use_cases.compliance.deployment import DeployedResources, Deployment
from tenancy.use_cases.compliance.report_platform import report_platform
from tenancy.use_cases.deletion.delete import delete_organization
from tenancy.use_cases.deletion.erase import await_writers, certify, erase_store, place_tombstones
from tenancy.use_cases.deletion.erasure_stores import ERASABLE_STORES
from tenancy.use_cases.deletion.read_certificate import read_certificate
from tenancy.use_cases.homes.claim_values import (
    claim_domain,
    claim_key,
    claim_values,
    enter_values,
    release_values,
)
from tenancy.use_cases.keys.authenticate import authenticate
from tenancy.use_cases.organizations.find_named import find_named
from tenancy.use_cases.organizations.list_organizations import get_organization, list_organization_page
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.organizations.provision_once import provision_once
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.each_database import as_other_role
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import OPERATOR, REGION, AwsAccount, new_organization, tenant_of
from tests.use_cases.erasing import GRACE, WRITER_WAIT, Platform
from tests.use_cases.test_erasures_after_moves import Move
from tests.use_cases.two_homes import TwoHomes, homes

__all__ = ["homes"]  # a fixture

LATER = timedelta(hours=2)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def acme(homes: TwoHomes, targets: OutboxTargets) -> Provisioned:
    return homes.provision(targets, "acme", "main")


@pytest.fixture
def globex(homes: TwoHomes, targets: OutboxTargets, acme: Provisioned) -> Provisioned:  # noqa: ARG001 - is first
    return homes.provision(targets, "globex", "second")


def no_tokens(_text: str, _now: datetime) -> TokenClaims:
    raise AssertionError


def caller_of(homes: TwoHomes, key: ApiKey) -> Tenant:
    """Return the tenant that the authorizer finds for a key."""
    caller = authenticate(homes.authorizer, no_tokens, (f"Bearer {key.text}",), now=now()).caller
    assert isinstance(caller, Tenant)
    return caller


def test_rows_of_an_organization_are_in_its_home_alone(homes: TwoHomes, acme: Provisioned, globex: Provisioned) -> None:
    for database, own in ((homes.main, acme), (homes.second, globex)):
        assert homes.execute(database, "SELECT id FROM organizations") == [(own.organization.id,)]
        assert homes.execute(database, "SELECT DISTINCT organization_id FROM users") == [(own.organization.id,)]
        assert homes.execute(database, "SELECT DISTINCT organization_id FROM key_digests") == [(own.organization.id,)]


def test_key_and_name_lead_to_the_organization(homes: TwoHomes, acme: Provisioned, globex: Provisioned) -> None:
    for each in (acme, globex):
        organization = each.organization
        for key in (each.secret_key, each.write_key):
            assert caller_of(homes, key).organization_id == organization.id
        named = NamedOrganization(subdomains=frozenset({organization.subdomain}))
        assert find_named(homes.platform, named) == organization.id
        assert find_named(homes.platform, replace(named, ids=frozenset({organization.id}))) == organization.id
        assert get_organization(homes.platform, organization.id).name == organization.name
    both = NamedOrganization(subdomains=frozenset({"acme", "globex"}))
    assert find_named(homes.platform, both) is None
    assert find_named(homes.platform, NamedOrganization(subdomains=frozenset({"unknown"}))) is None


def test_unknown_key_is_refused(homes: TwoHomes, acme: Provisioned, globex: Provisioned) -> None:  # noqa: ARG001
    with pytest.raises(UnauthenticatedError):
        caller_of(homes, generate_key(KeyType.SECRET))


def test_request_is_admitted_by_the_standing_of_its_home(
    homes: TwoHomes, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    gate = AdmissionGate(counters, lambda: homes.functions)

    for each in (acme, globex):
        assert gate.admit(tenant_of(each), now=now()).verdict is AdmissionVerdict.ADMITTED


def test_list_has_the_organizations_of_all_databases_in_pages(
    homes: TwoHomes, targets: OutboxTargets, acme: Provisioned, globex: Provisioned
) -> None:
    initech = homes.provision(targets, "initech", "main")
    first = list_organization_page(homes.platform, status=None, tier=None, cursor=None, limit=2)
    cursor = first.cursor_after(first.rows[-1])
    second = list_organization_page(homes.platform, status=None, tier=None, cursor=cursor, limit=2)

    assert (first.has_more, second.has_more) == (True, False)
    seen = [each.id for each in (*first.rows, *second.rows)]
    assert seen == [each.organization.id for each in (initech, globex, acme)]


def test_organization_that_moves_meanwhile_is_listed_once(homes: TwoHomes, acme: Provisioned) -> None:
    Move(homes, acme.organization.id).copy()  # as the second read finds it, after the move

    page = list_organization_page(homes.platform, status=None, tier=None, cursor=None, limit=1)

    assert ([each.id for each in page.rows], page.has_more) == ([acme.organization.id], False)


@pytest.mark.usefixtures("acme", "globex")
@pytest.mark.parametrize("subdomain", ["acme", "globex", "g1obex"])
def test_name_is_unique_among_databases(homes: TwoHomes, targets: OutboxTargets, subdomain: str) -> None:
    before = homes.execute(homes.main, "SELECT count(*) FROM catalogue_entries")

    with pytest.raises(SubdomainTakenError):
        homes.provision(targets, subdomain, "main" if "x" in subdomain else "second")

    assert homes.execute(homes.main, "SELECT count(*) FROM catalogue_entries") == before


def test_values_of_the_time_with_one_database_need_no_entry(
    homes: TwoHomes, targets: OutboxTargets, acme: Provisioned, globex: Provisioned
) -> None:
    homes.execute(homes.main, "DELETE FROM catalogue_entries")

    for each in (acme, globex):
        assert caller_of(homes, each.secret_key).organization_id == each.organization.id
        named = NamedOrganization(subdomains=frozenset({each.organization.subdomain}))
        assert find_named(homes.platform, named) == each.organization.id
    with pytest.raises(SubdomainTakenError):
        homes.provision(targets, "globex", "main")


def test_all_values_of_an_organization_can_be_entered(homes: TwoHomes, globex: Provisioned) -> None:
    before = homes.entries(globex.organization.id)
    homes.execute(homes.main, "DELETE FROM catalogue_entries")

    enter_values(homes.platform, globex.organization.id, now=now())

    assert homes.entries(globex.organization.id) == before
    assert set(before) == {"key", "subdomain", "skeleton"}


def test_process_that_knows_one_database_claims_as_well(
    homes: TwoHomes, targets: OutboxTargets, acme: Provisioned, globex: Provisioned
) -> None:
    url = homes.main.servers.postgres_url(postgres.PLATFORM, homes.main.name)
    only, key = RoutedDatabases(lambda: url), generate_key(KeyType.SECRET)
    homes.execute(homes.main, "DELETE FROM catalogue_entries")
    claim_key(only, acme.organization.id, key, now=now())
    assert homes.entries(acme.organization.id) == {}

    with homes.platform.catalogue.transaction() as conn:
        upsert_entries(conn, PLATFORM_LOG, [ENTERING], now=now())
    claim_key(only, acme.organization.id, key, now=now())
    enter_values(homes.platform, globex.organization.id, now=now())

    assert homes.entries(acme.organization.id) == {"key": key.digest.hex()}
    with pytest.raises(SubdomainTakenError):
        provision_organization(only, targets, new_organization("globex"), OPERATOR, now=now())
    release_values(only, acme.organization.id)
    assert homes.entries(acme.organization.id) == {}
    only.close()


def test_claim_of_a_process_that_died_is_taken_over(homes: TwoHomes, globex: Provisioned) -> None:
    entry, nobody, claimed_at = Entry(EntryKind.SUBDOMAIN, "initech"), uuid4(), now()
    assert claim_values(homes.platform, nobody, [entry], now=claimed_at) is None

    soon, later = claimed_at + timedelta(minutes=19), claimed_at + LATER
    assert claim_values(homes.platform, globex.organization.id, [entry], now=soon) == entry
    assert claim_values(homes.platform, globex.organization.id, [entry], now=later) is None
    assert claim_values(homes.platform, nobody, [entry], now=later) == entry


def test_claim_that_a_home_has_is_never_taken_over(homes: TwoHomes, acme: Provisioned, globex: Provisioned) -> None:
    entry, later = Entry(EntryKind.SUBDOMAIN, "globex"), now() + LATER

    assert claim_values(homes.platform, acme.organization.id, [entry], now=later) == entry
    assert claim_values(homes.platform, globex.organization.id, [entry], now=later) is None


def test_domain_is_proven_for_one_organization(homes: TwoHomes, acme: Provisioned, globex: Provisioned) -> None:
    kind, domain, record = EntryKind.EMAIL_DOMAIN, "acme.example", "_tenancy.acme.example"
    claim_domain(homes.platform, acme.organization.id, kind, domain, record_name=record, now=now())

    with pytest.raises(DomainTakenError):
        claim_domain(homes.platform, globex.organization.id, kind, domain, record_name=record, now=now())


def test_repeated_provisioning_gets_the_answer_of_its_home(
    homes: TwoHomes,
    targets: OutboxTargets,
    encryptor: Encryptor,
    globex: Provisioned,  # noqa: ARG001 - in "second"
) -> None:
    def ask() -> Provisioned:
        new = new_organization("initech")
        return provision_once(homes.platform, targets, encryptor, new, OPERATOR, idempotency_key="k", now=now())

    first, again = ask(), ask()

    assert first == again
    assert homes.execute(homes.second, "SELECT count(*) FROM organizations") == [(2,)]
    assert homes.execute(homes.main, "SELECT count(*) FROM organizations") == [(1,)]


def test_each_database_is_swept(
    homes: TwoHomes, counters: Redis, targets: OutboxTargets, signer: Signer, acme: Provisioned, globex: Provisioned
) -> None:
    runs = [sweep(database, counters, targets, now=now()) for database in homes.platform.every()]

    assert [run and run.failures for run in runs] == [[], []]
    for each in (acme, globex):
        verified = verify_audit_log(homes.functions, signer, each.organization.id)
        assert verified.broken is None
        assert verified.last is not None


def test_erasure_leaves_nothing_in_home_and_catalogue(
    homes: TwoHomes, platform: Platform, targets: OutboxTargets, acme: Provisioned, globex: Provisioned
) -> None:
    stores = replace(
        platform.erasure_stores,
        platform_db=homes.platform,
        domains=replace(platform.erasure_stores.domains, platform_db=homes.platform),
    )
    organization_id, deleted_at = globex.organization.id, now()
    before = homes.entries(acme.organization.id)
    delete_organization(homes.platform, targets, organization_id, "the end", OPERATOR, grace=GRACE, now=deleted_at)

    closed_at = deleted_at + GRACE
    later = closed_at + WRITER_WAIT
    place_tombstones(stores, organization_id, 1, request_id="execution-1", now=closed_at)
    await_writers(stores, organization_id, 1, closed_at=closed_at, writer_wait=WRITER_WAIT, now=later)
    for store in ERASABLE_STORES:
        erase_store(stores, organization_id, 1, store, now=later)
    counted = certify(stores, platform.signer, organization_id, 1, request_id="execution-1", now=later)

    assert counted.left["postgres"]["catalogue_entries"] == 0
    assert homes.entries(organization_id) == {}
    assert homes.entries(acme.organization.id) == before
    assert read_certificate(homes.platform, platform.signer, organization_id).are_valid
    assert caller_of(homes, acme.secret_key).organization_id == acme.organization.id
    with pytest.raises(UnauthenticatedError):
        caller_of(homes, globex.secret_key)
    with pytest.raises(SubdomainTakenError):  # in quarantine, also for a home that never had it
        provision_organization(homes.platform, targets, new_organization("globex"), OPERATOR, now=later)


def test_home_that_is_known_serves_without_the_catalogue(
    homes: TwoHomes, acme: Provisioned, globex: Provisioned
) -> None:
    down = homes.without("main")
    down.functions._remember(globex.organization.id, "second")

    with down.functions.tenant_transaction(globex.organization.id) as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (1,)
    for key in (acme.secret_key, globex.secret_key):
        with pytest.raises(UnavailableError):
            caller_of(down, key)
    down.close()


def test_outage_of_one_home_is_no_outage_of_another(homes: TwoHomes, acme: Provisioned, globex: Provisioned) -> None:
    down = homes.without("second")

    assert caller_of(down, acme.secret_key).organization_id == acme.organization.id
    with pytest.raises(UnavailableError):
        caller_of(down, globex.secret_key)
    with pytest.raises(UnavailableError), down.functions.tenant_transaction(globex.organization.id):
        pytest.fail("a transaction was opened")
    down.close()


def test_report_of_the_platform_has_the_facts_of_all_databases(
    homes: TwoHomes, targets: OutboxTargets, aws: AwsAccount, globex: Provisioned
) -> None:
    sqs, kms = (AwsClient(service, REGION, aws.endpoint_url) for service in ("sqs", "kms"))
    reader = DeployedSettings(sqs, kms, REGION, path_style=True)
    deployment = Deployment(lambda: reader, DeployedResources(queues={}, buckets={}, keys={}))
    organization_id, today = globex.organization.id, now().date()
    delete_organization(homes.platform, targets, organization_id, "the end", OPERATOR, grace=GRACE, now=now())
    homes.execute(homes.second, "ALTER TABLE apps NO FORCE ROW LEVEL SECURITY")

    report = report_platform(homes.platform, deployment, Period(start=today, end=today + timedelta(days=1)), now=now())

    assert [each.organization_id for each in report.deletions.rows] == [organization_id]
    assert report.facts.row_security.unprotected == ["apps"]


def test_databases_of_two_roles_are_paired_by_name() -> None:
    urls = {name: f"{name} postgresql://nobody@127.0.0.1/{name}" for name in ("main", "second", "third")}
    platform = RoutedDatabases(lambda: "\n".join(urls.values()))
    functions = RoutedDatabases(lambda: "\n".join((urls["main"], urls["third"], urls["second"])))
    incomplete = RoutedDatabases(lambda: "\n".join((urls["main"], urls["second"])))

    paired = [as_other_role(database, platform, functions) for database in platform.every()]

    assert paired == [functions.by_name()[name] for name in urls]
    with pytest.raises(UnknownDatabaseError, match="third"):
        as_other_role(platform.by_name()["third"], platform, incomplete)
