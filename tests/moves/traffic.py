"""Organizations in several databases, their traffic, and a model of the rows that must be stored."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from threading import Event, Thread
from typing import Any, Self
from uuid import UUID, uuid4

from tenancy.rules.homes import Entry, EntryKind
from tenancy.rules.keys.api_keys import ApiKey, KeyType, generate_key
from tenancy.rules.quotas import Metric
from tenancy.rules.tenant import AdmittedTenant
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.api_keys import insert_api_key
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes, RoutedDatabases
from tenancy.stores.postgres.organizations import has_organization
from tenancy.stores.postgres.platform.lookups import find_key_holder
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.use_cases.audit.read_audit import verify_audit_log
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.organizations.provision import Provisioned, insert_provisioned, prepare_organization
from tenancy.use_cases.usage.meter import record_usage
from tests.given import OPERATOR, new_organization, tenant_of
from tests.moves.servers import MAIN, Deployment, MovableDatabase
from tests.use_cases.audit_records import read

LIST_DIGESTS = "SELECT digest FROM key_digests WHERE organization_id = %s"
LIST_RECORDS = "SELECT id FROM audit_log WHERE organization_id = %s"
PASSWORD_HASH = "hash"
NUMBERS = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The databases as one process uses them: each role with the directory that it has read."""

    functions: RoutedDatabases
    platform: RoutedDatabases

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        return cls(
            functions=RoutedDatabases(lambda: lines_of({each.name: each.functions for each in deployment})),
            platform=RoutedDatabases(lambda: lines_of({each.name: each.platform for each in deployment})),
        )

    def finds(self, key: ApiKey) -> bool:
        """Tell whether the look-up of credentials finds *key*."""
        entry = Entry(EntryKind.KEY, key.digest.hex())
        found = self.functions.look_up_in_homes(lambda conn: find_key_holder(conn, key.digest), values=[entry])
        return any(found)

    @contextmanager
    def closing(self) -> Iterator[Self]:
        try:
            yield self
        finally:
            self.functions.close()
            self.platform.close()


def lines_of(databases: Mapping[str, Database]) -> str:
    """Return the text of a secret of PostgreSQL for *databases*."""
    return "\n".join(f"{name} {database._url()}" for name, database in databases.items())


@dataclass(slots=True, kw_only=True)
class Organization:
    """An organization with the database it was provisioned in, and the rows that it must have."""

    provisioned: Provisioned
    tenant: AdmittedTenant
    home: str
    usage: int = 0
    reports: set[str] = field(default_factory=set)
    records: set[UUID] = field(default_factory=set)
    keys: list[ApiKey] = field(default_factory=list)
    entries: int = 0

    @property
    def id(self) -> UUID:
        return self.provisioned.organization.id

    @classmethod
    def provision(cls, database: MovableDatabase) -> Self:
        """Provision an organization as the product does, without its side effects in AWS."""
        now = datetime.now(UTC)
        name = f"acme-{next(NUMBERS)}-{uuid4().hex[:8]}"
        provisioned = prepare_organization(uuid4(), new_organization(name, Tier.ENTERPRISE), now=now)
        with database.platform.tenant_transaction(provisioned.organization.id) as conn:
            insert_provisioned(conn, provisioned, PASSWORD_HASH, OPERATOR, now=now)
        keys = [provisioned.write_key, provisioned.secret_key]
        return cls(
            provisioned=provisioned,
            tenant=tenant_of(provisioned, tier=Tier.ENTERPRISE),
            home=database.name,
            keys=keys,
        )

    def report(self, functions: Homes, amount: int) -> None:
        """Report usage, which is counted once."""
        key = uuid4().hex
        record_usage(functions, self.tenant, Metric.ML_PREDICTIONS, amount, idempotency_key=key, now=datetime.now(UTC))
        self.usage += amount
        self.reports.add(key)

    def write(self, platform: Homes, *, with_key: bool) -> None:
        """Write an audit record, an outbox entry, and a key if asked for, in one transaction."""
        now = datetime.now(UTC)
        record, key = read(0, occurred_at=now), generate_key(KeyType.SECRET)
        with platform.tenant_transaction(self.id) as conn:
            insert_audit_record(conn, self.id, record)
            insert_outbox_entry(conn, self.id, "welcome_mail", {}, due_at=now)
            if with_key:
                insert_api_key(conn, self.id, uuid4(), key, name="key", scopes=[])
        self.records.add(record.id)
        self.entries += 1
        if with_key:
            self.keys.append(key)


def put_home(deployment: Deployment, organization: Organization) -> None:
    """Write the directory, as provisioning does where the bucket has another home."""
    if organization.home != MAIN:
        deployment[MAIN].superuser.execute(
            "INSERT INTO organization_homes (organization_id, database) VALUES (%s, %s)",
            (organization.id, organization.home),
        )


def list_values(database: MovableDatabase, statement: str, organization_id: UUID) -> set[Any]:
    return {value for (value,) in database.superuser.execute(statement.encode(), (organization_id,))}


def require_model(deployment: Deployment, organization: Organization, home: str, signer: Signer) -> None:
    """Check that *home* has all that the organization must have stored, and that no other database has any of it."""
    database, of = deployment[home], organization.id
    seal_audit_logs(database.platform, now=datetime.now(UTC))
    counted = {
        "organizations": "SELECT count(*) FROM organizations WHERE id = %s",
        "usage": "SELECT sum(amount) FROM usage_ledger WHERE organization_id = %s",
        "total": "SELECT sum(used) FROM usage_totals WHERE organization_id = %s AND metric = 'ml_predictions'",
        "reports": "SELECT count(*) FROM usage_ledger WHERE organization_id = %s",
        "keys": "SELECT count(*) FROM api_keys WHERE organization_id = %s",
        "entries": "SELECT count(*) - 2 FROM outbox WHERE organization_id = %s",
        "ids of entries": "SELECT count(DISTINCT id) - 2 FROM outbox WHERE organization_id = %s",
    }
    expected = {
        "organizations": 1,
        "usage": organization.usage,
        "total": organization.usage,
        "reports": len(organization.reports),
        "keys": len(organization.keys),
        "entries": organization.entries,
        "ids of entries": organization.entries,
    }
    found = {name: database.superuser.execute(text.encode(), (of,)).fetchone() for name, text in counted.items()}
    assert {name: int((row or (0,))[0] or 0) for name, row in found.items()} == expected
    digests = {bytes(digest) for digest in list_values(database, LIST_DIGESTS, of)}
    assert digests == {key.digest for key in organization.keys}
    records = list_values(database, LIST_RECORDS, of)
    assert organization.records <= records
    verification = verify_audit_log(database.functions, signer, of)
    assert (verification.broken, verification.unsealed, verification.is_complete) == (None, 0, True)
    assert verification.last.sequence == len(records) == len(organization.records) + 1


type Work = Callable[[Organization, Client, random.Random], None]


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Threads that write and read for *organizations* until they are stopped. *failures* must stay empty."""

    deployment: Deployment
    organizations: list[Organization]
    failures: list[str] = field(default_factory=list)
    calls: int = 0
    _stop: Event = field(default_factory=Event)

    @contextmanager
    def running(self) -> Iterator[Self]:
        works = [(each, work) for each in self.organizations for work in (write, read_rows)]
        threads = [Thread(target=self._run, args=each) for each in works]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _run(self, organization: Organization, work: Work) -> None:
        chance = random.Random(str(organization.id))
        try:
            with Client.of(self.deployment).closing() as client:
                while not self._stop.wait(0.01):
                    work(organization, client, chance)
                    self.calls += 1
        except Exception as error:  # noqa: BLE001 - each failure of a client is a failure of the test
            self.failures.append(f"{work.__name__}: {error!r} from {error.__cause__!r}")


def write(organization: Organization, client: Client, chance: random.Random) -> None:
    if chance.random() < 0.5:
        organization.report(client.functions, chance.randrange(1, 100))
    else:
        organization.write(client.platform, with_key=chance.random() < 0.3)


def read_rows(organization: Organization, client: Client, _chance: random.Random) -> None:
    with client.functions.tenant_transaction(organization.id) as conn:
        assert has_organization(conn, organization.id)
    assert client.finds(organization.provisioned.secret_key)
