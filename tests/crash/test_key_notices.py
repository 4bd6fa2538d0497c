"""A run that crashes while it handles keys: the next one completes it, and repeats nothing."""

from datetime import timedelta
from itertools import count

import pytest

from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.notice_rotations import notice_rotations
from tenancy.use_cases.schedule.persist_last_uses import persist_last_uses
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import crashes
from tests.given import NOW, OPERATOR, Databases, new_organization, tenant_of

pytestmark = pytest.mark.exhaustive

AGE = timedelta(days=90)
COUNT_NOTICES = """
    SELECT (SELECT count(*) FROM api_keys WHERE organization_id = %(id)s AND rotation_noticed_at IS NOT NULL),
           (SELECT count(*) FROM audit_log WHERE organization_id = %(id)s AND action = 'key.rotation_due'),
           (SELECT count(*) FROM outbox WHERE organization_id = %(id)s AND kind = 'key_rotation_mail')
"""
FIND_LAST_USE = "SELECT last_used_at FROM api_keys WHERE id = %s"


def test_due_keys_are_noticed_once_after_a_crash(
    databases: Databases, targets: OutboxTargets, aftermath: Aftermath
) -> None:
    numbers, crashed = count(), 0

    def begin() -> Provisioned:
        new = new_organization(f"acme-{next(numbers)}")
        acme = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)
        aftermath.superuser.execute("UPDATE api_keys SET created_at = %s", (NOW - AGE,))
        return acme

    def run(_acme: Provisioned) -> None:
        notice_rotations(databases.platform, now=NOW)

    for crash in crashes(begin, run):
        values = {"id": crash.state.organization.id}
        [after_crash] = aftermath.rows(COUNT_NOTICES, values)

        notice_rotations(databases.platform, now=NOW)

        assert after_crash in {(0, 0, 0), (2, 2, 1)}, crash
        assert aftermath.rows(COUNT_NOTICES, values) == [(2, 2, 1)], crash
        crashed += 1
    assert crashed > 1


def test_last_uses_are_persisted_after_a_crash(
    databases: Databases, targets: OutboxTargets, counters: Redis, aftermath: Aftermath
) -> None:
    numbers, crashed, gate = count(), 0, AdmissionGate(counters, lambda: databases.functions)

    def begin() -> Provisioned:
        new = new_organization(f"acme-{next(numbers)}")
        acme = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)
        gate.admit(tenant_of(acme), now=NOW)
        return acme

    def run(_acme: Provisioned) -> None:
        persist_last_uses(databases.platform, counters)

    for crash in crashes(begin, run):
        persist_last_uses(databases.platform, counters)

        assert aftermath.rows(FIND_LAST_USE, (crash.state.secret_key_id,)) == [(NOW,)], crash
        assert persist_last_uses(databases.platform, counters) == 0, crash
        crashed += 1
    assert crashed > 2
