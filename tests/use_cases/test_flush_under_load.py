"""FLUSHALL under load: admissions stay within limits, and the roll-up restores exact usage."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from uuid import UUID

from redis import Redis as Client

from scripts.stack import postgres
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.quotas import Metric
from tenancy.rules.tenant import AdmittedTenant, RateBucket
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.persist_request_counts import persist_request_counts
from tenancy.use_cases.schedule.roll_up import roll_up
from tenancy.use_cases.usage.meter import record_usage
from tenancy.use_cases.usage.read_usage import read_usage
from tests.given import Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW, REDIS_TIMEOUT_SECONDS
from tests.use_cases.storing import store
from tests.use_cases.test_roll_up import counter

WORKERS, ROUNDS, EVENTS = 8, 60, 3


class Load:
    """Workers of one organization, each with its own connections.

    One of them flushes Redis halfway.
    """

    def __init__(self, databases: Databases, tenant: AdmittedTenant, revoked: UUID) -> None:
        self._databases, self._tenant = databases, tenant
        self._revoked = replace(tenant, credential_id=revoked, bucket=RateBucket.INGEST)
        self._barrier = Barrier(WORKERS)

    def run(self) -> list[tuple[AdmissionVerdict, AdmissionVerdict, int]]:
        with ThreadPoolExecutor(WORKERS) as pool:
            return [each for found in pool.map(self._work, range(WORKERS)) for each in found]

    def _work(self, worker: int) -> list[tuple[AdmissionVerdict, AdmissionVerdict, int]]:
        servers, found = self._databases.servers, []
        url = servers.postgres_url(postgres.FUNCTIONS, self._databases.name)
        opened = Redis(lambda: servers.valkey_url, timeout_seconds=REDIS_TIMEOUT_SECONDS)
        with closing(opened) as redis, closing(Database(lambda: url)) as db:
            admissions = AdmissionGate(redis, lambda: db)
            for number in range(ROUNDS):
                self._barrier.wait()
                if worker == 0 and number == ROUNDS // 2:
                    with Client.from_url(servers.valkey_url) as client:
                        client.flushall()
                admission = admissions.admit(self._tenant, events=EVENTS, now=NOW)
                refused = admissions.admit(self._revoked, now=NOW)
                found.append((admission.verdict, refused.verdict, admission.accepted))
                record_usage(db, self._tenant, Metric.ML_PREDICTIONS, 1, idempotency_key=None, now=NOW)
                record_usage(db, self._tenant, Metric.STORAGE_BYTES, 10, idempotency_key=None, now=NOW)
        return found


def test_flush_under_load_loses_only_request_counts(databases: Databases, counters: Redis, globex: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", (globex.write_key_id,))
    tenant, organization_id = tenant_of(globex), globex.organization.id

    found = Load(databases, tenant, globex.write_key_id).run()

    limit = tenant.entitlements.quotas.api_requests_per_minute
    admitted = Counter(verdict for verdict, _, _ in found)[AdmissionVerdict.ADMITTED]
    assert min(limit, WORKERS * ROUNDS) <= admitted <= 2 * limit
    assert {verdict for _, verdict, _ in found} == {AdmissionVerdict.UNAUTHENTICATED}

    accepted = sum(events for _, _, events in found)
    assert accepted == EVENTS * admitted

    store(databases, organization_id, range(accepted), at=NOW)
    store(databases, organization_id, [accepted], at=NOW + timedelta(hours=2))
    later = NOW + timedelta(hours=2, minutes=1)
    persist_request_counts(databases.platform, counters, now=NOW)
    roll_up(databases.platform, databases.clickhouse, counters, now=later)

    report = read_usage(
        databases.functions,
        TenantReader(databases.clickhouse, organization_id),
        organization_id,
        tenant.entitlements,
        None,
        now=later,
    )

    assert counter(databases, organization_id) == report.quotas[Metric.EVENTS].used == accepted + 1
    assert report.quotas[Metric.ML_PREDICTIONS].used == WORKERS * ROUNDS

    measured = sum(day.storage_bytes for day in report.daily)
    assert report.quotas[Metric.STORAGE_BYTES].used == measured + 10 * WORKERS * ROUNDS
    assert 0 < report.quotas[Metric.API_REQUESTS].used <= admitted
