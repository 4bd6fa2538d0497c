"""A replay of the register may crash at any moment. The next replay completes it."""

from datetime import timedelta
from uuid import UUID

import pytest

from tenancy.rules.durations import PRIVACY_JOB_CLAIM_TIME
from tenancy.rules.erasures import ErasureJob
from tenancy.rules.register import RegisteredChanges, ended_keys, erased_organization, erased_subject
from tenancy.rules.tiers import Tier
from tenancy.stores.clickhouse.platform.statistics import replace_statistics
from tenancy.stores.postgres.platform.erasure_jobs import claim_erasure
from tenancy.use_cases.organizations.provision import Provisioned
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import crashes
from tests.database_pool import DatabasePool
from tests.given import NOW, Databases, provision
from tests.use_cases.conftest import platform, signer
from tests.use_cases.erasing import Platform, column_of
from tests.use_cases.privacy_jobs import ask_erasure, devices
from tests.use_cases.restoring import run_replay
from tests.use_cases.storing import count as count_events
from tests.use_cases.storing import store
from tests.use_cases.test_erasures import statistics, usage

pytestmark = pytest.mark.exhaustive

__all__ = ["platform", "signer"]  # fixtures of the use cases' tests

SUBJECT = "device-3"
LATER = NOW + timedelta(days=1)
CLOSED = NOW - timedelta(days=60)  # in a month whose bill does not change any more
INSERT_USAGE = """
    INSERT INTO tenant_usage (organization_id, metric_date, events_count, unique_users_count, storage_bytes)
    VALUES (%s, %s, 10, 10, 10000) RETURNING 1
"""
COUNT_LIVE = "SELECT count(*) FROM api_keys WHERE organization_id = %s AND revoked_at IS NULL"
COUNT_ENTRIES = "SELECT count(*) FROM audit_log WHERE organization_id = %s AND action = %s"
type Restored = tuple[Provisioned, Provisioned, UUID, RegisteredChanges]


def changes_of(erased: Provisioned, kept: Provisioned, job: ErasureJob) -> RegisteredChanges:
    """Return the register: one organization was erased, the other one revoked a key and erased a subject."""
    changes = RegisteredChanges()
    for entry in (
        erased_organization(erased.organization.id, closed_at=NOW),
        ended_keys(kept.organization.id, [kept.write_key_id], ends_at=NOW),
        erased_subject(job),
    ):
        changes.add(entry.name, entry.body)
    return changes


def test_crashed_replay_is_completed_by_the_next(
    platform: Platform, databases: Databases, database_pool: DatabasePool, aftermath: Aftermath
) -> None:
    crashed = 0

    def begin() -> Restored:
        """Return two organizations of a restored backup: one was erased, the other one revoked a key."""
        database_pool.empty(databases)  # else each replay would replay for the organizations of all earlier ones
        acme, globex = (provision(databases, platform.targets, name, Tier.STARTER) for name in ("acme", "globex"))
        for each in (acme, globex):
            store(databases, each.organization.id, range(10), at=NOW)
            store(databases, each.organization.id, range(10), at=CLOSED)
            aftermath.rows(INSERT_USAGE, (each.organization.id, CLOSED.date()))
            replace_statistics(databases.clickhouse, each.organization.id, [CLOSED.date()], run=NOW)
        erasure_id = ask_erasure(databases, globex, SUBJECT, NOW)
        with databases.platform.transaction() as conn:
            job = claim_erasure(conn, now=NOW, until=NOW)
        assert job is not None
        changes = changes_of(acme, globex, job)
        return acme, globex, erasure_id, changes

    for crash in crashes(begin, lambda state: run_replay(platform, databases, LATER, state[3])):
        acme, globex, erasure_id, changes = crash.state

        run_replay(platform, databases, LATER + PRIVACY_JOB_CLAIM_TIME, changes)

        assert column_of(databases, acme.organization.id)["status"] == "erased", crash
        assert count_events(databases, acme.organization.id) == 0, crash
        assert SUBJECT not in devices(databases, globex), crash
        assert [(events, users) for _, events, users, _ in usage(databases, globex)] == [(9, 9)], crash
        assert [(events, users) for _, events, users in statistics(databases, globex)] == [(9, 9), (9, 9)], crash
        assert aftermath.rows(COUNT_LIVE, (globex.organization.id,)) == [(1,)], crash
        assert aftermath.rows(COUNT_ENTRIES, (globex.organization.id, "key.revoked")) == [(1,)], crash
        assert aftermath.rows(COUNT_ENTRIES, (acme.organization.id, "organization.erased")) == [(1,)], crash
        assert aftermath.rows("SELECT status FROM erasures WHERE id = %s", (erasure_id,)) == [("erased",)], crash
        crashed += 1
    assert crashed > 10
