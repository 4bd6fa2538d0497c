"""No step of a sweep stops another one or uses up its time."""

import pytest

from tenancy.rules.quotas import Metric
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.postgres.platform.audit_logs import SealedMeanwhileError
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.sweep import SweepRun, sweep
from tenancy.use_cases.usage.meter import record_usage
from tests.given import NOW, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.audit_records import read, write


def enqueue(databases: Databases, provisioned: Provisioned) -> None:
    with databases.platform.transaction() as conn:
        insert_outbox_entry(conn, provisioned.organization.id, "quota_event", {"metric": "events"}, due_at=NOW)


def run(databases: Databases, counters: Redis, targets: OutboxTargets, *, share: float = 0.0) -> SweepRun:
    """Run a sweep that has already used *share* of its time."""
    done = sweep(databases.platform, counters, targets, now=NOW, has_time=lambda until: until > share)
    assert done is not None
    return done


def break_log(databases: Databases, provisioned: Provisioned) -> None:
    """Set the head of the log behind its last entry, so that sealing fails."""
    write(databases, provisioned.organization.id, read(0))
    seal_audit_logs(databases.platform, now=NOW)
    with superuser(databases) as conn:
        conn.execute("UPDATE audit_heads SET sequence = 1 WHERE organization_id = %s", (provisioned.organization.id,))


def test_log_that_cannot_be_sealed_blocks_nothing_else(
    databases: Databases, counters: Redis, targets: OutboxTargets, acme: Provisioned, globex: Provisioned
) -> None:
    break_log(databases, acme)
    write(databases, acme.organization.id, read(1))
    write(databases, globex.organization.id, read(2))  # later, so that acme's log is sealed first
    enqueue(databases, globex)

    done = run(databases, counters, targets)

    assert list(done.sealed) == [globex.organization.id]
    assert done.outbox.done == ("quota_event",)
    assert [type(failure) for failure in done.failures] == [SealedMeanwhileError]


def test_standings_and_credentials_are_published_first(
    databases: Databases, counters: Redis, targets: OutboxTargets, acme: Provisioned
) -> None:
    enqueue(databases, acme)
    with databases.platform.transaction() as conn:
        for kind, payload in (("credential", {"credential_id": str(acme.secret_key_id)}), ("standing", {})):
            insert_outbox_entry(conn, acme.organization.id, kind, payload, due_at=NOW)

    done = run(databases, counters, targets)

    assert done.outbox.done == ("standing", "credential", "quota_event")


# Only one step uses each of these tables.
@pytest.mark.parametrize(
    "table", ["tenant_usage", "quota_notices", "audit_refusals", "provisioning_requests", "deletion_certificates"]
)
def test_failed_step_does_not_stop_the_others(
    databases: Databases, counters: Redis, targets: OutboxTargets, acme: Provisioned, table: str
) -> None:
    organization_id = acme.organization.id
    write(databases, organization_id, read(1))
    enqueue(databases, acme)
    with superuser(databases) as conn:
        conn.execute(f"REVOKE ALL ON {table} FROM tenancy_platform")

    done = run(databases, counters, targets)

    assert len(done.failures) == 1
    assert table in str(done.failures[0])
    assert list(done.sealed) == [organization_id]
    assert done.outbox.done == ("quota_event",)
    assert done.backlog is not None


def test_logs_and_notices_leave_time_for_the_outbox(
    databases: Databases, counters: Redis, targets: OutboxTargets, acme: Provisioned
) -> None:
    amount = QUOTAS[Tier.STARTER].ml_predictions_per_month * 8 // 10
    record_usage(databases.functions, tenant_of(acme), Metric.ML_PREDICTIONS, amount, idempotency_key=None, now=NOW)
    enqueue(databases, acme)

    late = run(databases, counters, targets, share=0.5)

    assert (late.quota_notices_enqueued, late.sealed, late.outbox.done) == (0, {}, ("quota_event",))

    enqueue(databases, acme)
    later = run(databases, counters, targets, share=1.0)

    assert later.outbox.done == ()

    in_time = run(databases, counters, targets)
    assert (in_time.quota_notices_enqueued, list(in_time.sealed)) == (1, [acme.organization.id])
