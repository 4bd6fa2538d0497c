"""A sweep that crashes at any moment: the next one completes it."""

from datetime import datetime, timedelta
from itertools import count

import pytest

from tenancy.rules.durations import SWEEP_LEASE_TIME
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.sweep import sweep
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import crashes
from tests.given import NOW, OPERATOR, Databases, new_organization

pytestmark = pytest.mark.exhaustive

HOUR = timedelta(hours=1)


def test_next_sweep_runs_the_entries_of_a_crashed_one(
    databases: Databases, targets: OutboxTargets, counters: Redis, aftermath: Aftermath
) -> None:
    numbers, crashed = count(), 0

    def begin() -> tuple[Provisioned, datetime]:
        number = next(numbers)
        now = NOW + number * HOUR
        new = new_organization(f"acme-{number}")
        return provision_organization(databases.platform, targets, new, OPERATOR, now=now), now

    def run(state: tuple[Provisioned, datetime]) -> None:
        sweep(databases.platform, counters, targets, now=state[1])

    for crash in crashes(begin, run):
        acme, now = crash.state

        next_run = sweep(databases.platform, counters, targets, now=now + SWEEP_LEASE_TIME)

        assert next_run is not None, crash
        assert aftermath.pending_kinds(acme.organization.id) == [], crash
        assert 1 <= len(aftermath.mails_to(acme.admin_email)) <= 2, crash
        crashed += 1
    assert crashed > 8
