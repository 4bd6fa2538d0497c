"""Admission counts exactly under concurrent requests."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

from psycopg.types.json import Jsonb
from redis import Redis as Client

from scripts.stack import postgres
from tenancy.rules.admission import Admission, AdmissionVerdict
from tenancy.rules.tenant import CallerKind, RateBucket, Tenant
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.rules.usage import RequestCounts
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.usage import update_daily_requests
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, know, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW, REDIS_TIMEOUT_SECONDS, Admit

STARTER = QUOTAS[Tier.STARTER]


@contextmanager
def run_at_once(databases: Databases, clients: int) -> Iterator[Callable[[Callable[[Admit], None]], None]]:
    """Yield a function that runs the same work for many clients at once.

    Each client has its own connections. All clients start together.
    """
    servers, barrier = databases.servers, Barrier(clients)

    def run(work: Callable[[Admit], None]) -> None:
        def one(_: int) -> None:
            url = servers.postgres_url(postgres.FUNCTIONS, databases.name)
            with (
                closing(Redis(lambda: servers.valkey_url, timeout_seconds=REDIS_TIMEOUT_SECONDS)) as redis,
                closing(Database(lambda: url)) as db,
            ):
                admissions = AdmissionGate(redis, lambda: db)
                barrier.wait()
                work(lambda caller, **options: admissions.admit(caller, **{"now": NOW, **options}))

        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(one, range(clients)))

    yield run


def test_200_clients_at_once_get_exactly_100_admissions(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    tenant = tenant_of(acme)
    know(counters, tenant)
    verdicts: list[AdmissionVerdict] = []

    with run_at_once(databases, 200) as run:
        run(lambda admit: verdicts.append(admit(tenant).verdict))

    assert Counter(verdicts) == {AdmissionVerdict.ADMITTED: 100, AdmissionVerdict.RATE_LIMITED: 100}

    admissions = AdmissionGate(counters, lambda: databases.functions)
    assert admissions.admit(tenant_of(globex), now=NOW).verdict is AdmissionVerdict.ADMITTED


def test_32_workers_use_a_quota_up_to_its_last_event(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    tenant = replace(tenant_of(acme), bucket=RateBucket.INGEST)
    know(counters, tenant, events=STARTER.events_per_month - 100, held=STARTER.grace_events_per_month - 50)
    found: list[Admission] = []

    with run_at_once(databases, 32) as run:
        run(lambda admit: found.append(admit(tenant, events=7)))

    assert sum(each.accepted for each in found) == 100
    assert sum(each.held for each in found) == 50
    assert sum(7 - each.accepted - each.held for each in found) == 32 * 7 - 150
    assert all(each.verdict is AdmissionVerdict.ADMITTED for each in found)


def test_rate_limited_write_key_does_not_block_management(admit: Admit, acme: Provisioned) -> None:
    device = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)

    verdicts = Counter(admit(device).verdict for _ in range(1_200))

    assert verdicts == {AdmissionVerdict.ADMITTED: 1_000, AdmissionVerdict.RATE_LIMITED: 200}

    person = replace(tenant_of(acme), credential_id=acme.admin_user_id, kind=CallerKind.PERSON, epoch="0.0")
    for tenant in (tenant_of(acme), person):
        assert admit(tenant).verdict is AdmissionVerdict.ADMITTED


def seconds_left(admission: Admission) -> int | None:
    """Return the seconds until a request is admitted again, or None for an admitted one."""
    assert admission.rate is not None
    return None if admission.verdict is AdmissionVerdict.ADMITTED else admission.rate.seconds_left


def test_write_keys_are_refused_only_until_their_minute_ends(
    admit: Admit, databases: Databases, acme: Provisioned
) -> None:
    device = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    with databases.platform.transaction() as conn:
        rates = {"api_requests_per_minute": 1, "ingest_requests_per_minute": 1}
        conn.execute("UPDATE organizations SET overrides = %s", (Jsonb(rates),))

    def found(tenant: Tenant) -> list[int | None]:
        return [seconds_left(admit(tenant, now=NOW + timedelta(seconds=second))) for second in (0, 20, 59, 60, 80)]

    assert found(device) == [None, 40, 1, None, 40]
    assert found(tenant_of(acme)) == [None, 60, 21, 20, None]


def test_keys_of_an_organization_share_its_rate_limit(admit: Admit, acme: Provisioned) -> None:
    person = replace(tenant_of(acme), credential_id=acme.admin_user_id, kind=CallerKind.PERSON, epoch="0.0")

    remaining = [admission.rate.remaining for admission in map(admit, [tenant_of(acme), person]) if admission.rate]

    assert remaining == [99, 98]


def test_all_or_nothing_batch_is_reserved_whole_or_not_at_all(admit: Admit, counters: Redis, acme: Provisioned) -> None:
    tenant = tenant_of(acme)
    know(counters, tenant, events=STARTER.events_per_month - 10, held=STARTER.grace_events_per_month - 10)

    too_much = admit(tenant, events=21, all_or_nothing=True)

    assert (too_much.accepted, too_much.held) == (0, 0)

    fits = admit(tenant, events=20, all_or_nothing=True)
    assert (fits.accepted, fits.held) == (10, 10)

    full = admit(tenant, events=1, all_or_nothing=True)
    assert (full.accepted, full.held, full.used) == (0, 0, STARTER.events_per_month)


def test_devices_cannot_use_up_the_requests_of_management(
    admit: Admit, databases: Databases, acme: Provisioned
) -> None:
    with databases.platform.transaction() as conn:
        spent = STARTER.ingest_requests_per_month - 1
        requests = RequestCounts(all=spent + 5, management=5)
        update_daily_requests(conn, {(acme.organization.id, NOW.date() - timedelta(days=1)): requests}, now=NOW)

    device = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    assert admit(device).verdict is AdmissionVerdict.ADMITTED

    refused = admit(device)

    assert refused.verdict is AdmissionVerdict.OVER_QUOTA
    assert (refused.metric, refused.used) == ("ingest_requests", spent + 1)
    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.ADMITTED
    assert admit(device, now=datetime(2026, 12, 1, tzinfo=UTC)).verdict is AdmissionVerdict.ADMITTED


def test_management_cannot_use_up_the_requests_of_devices(
    admit: Admit, databases: Databases, acme: Provisioned
) -> None:
    device = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    with databases.platform.transaction() as conn:
        spent = STARTER.api_requests_per_month
        requests = RequestCounts(all=spent, management=spent)
        update_daily_requests(conn, {(acme.organization.id, NOW.date()): requests}, now=NOW)

    refused = admit(tenant_of(acme))

    assert (refused.verdict, refused.metric) == (AdmissionVerdict.OVER_QUOTA, "api_requests")
    assert refused.used == spent
    assert admit(device).verdict is AdmissionVerdict.ADMITTED
    assert admit(tenant_of(acme), now=datetime(2026, 12, 1, tzinfo=UTC)).verdict is AdmissionVerdict.ADMITTED


def test_counters_of_the_release_before_block_neither_bucket(
    admit: Admit, databases: Databases, acme: Provisioned
) -> None:
    """That release seeded the number of all requests, and none for management."""
    device = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    with Client.from_url(databases.servers.valkey_url) as client:
        counted = {"requests": STARTER.api_requests_per_month, "requests:2026-11-24": 7}
        client.hset(f"{{{acme.organization.id}}}:usage:2026-11", mapping=counted)

    verdicts = [admit(tenant).verdict for tenant in (device, tenant_of(acme))]

    assert verdicts == [AdmissionVerdict.ADMITTED] * 2


def test_events_are_held_when_the_storage_quota_is_used_up(
    admit: Admit, databases: Databases, acme: Provisioned
) -> None:
    with superuser(databases) as conn:
        conn.execute(
            "INSERT INTO measurements VALUES (%s, %s, 0, %s)", (acme.organization.id, STARTER.storage_bytes, NOW)
        )

    found = admit(tenant_of(acme), events=3)

    assert (found.accepted, found.held, found.metric, found.used) == (0, 3, "storage_bytes", STARTER.storage_bytes)
