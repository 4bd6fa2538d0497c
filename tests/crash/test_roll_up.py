"""A roll-up that crashes at any moment: the next one counts the same."""

from datetime import timedelta
from itertools import count

import pytest

from tenancy.rules.durations import ROLL_UP_LEASE_TIME
from tenancy.rules.tiers import Tier
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.held_events.release_held import release_into_room
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.apply_retention import apply_retention
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import crashes
from tests.given import NOW, OPERATOR, Databases, new_organization
from tests.use_cases.storing import count as count_events
from tests.use_cases.storing import put

pytestmark = pytest.mark.exhaustive

EVENTS, HELD = 5, 3
SUM_EVENTS = "SELECT sum(events_count) FROM tenant_usage WHERE organization_id = %s"
SUM_EVENTS_OF_ALL = "SELECT DISTINCT sum(events_count) FROM tenant_usage GROUP BY organization_id"
numbers = count()


def test_crashed_roll_up_counts_and_releases_events_once(
    databases: Databases, targets: OutboxTargets, counters: Redis, aftermath: Aftermath
) -> None:
    clock, crashed = [NOW], 0

    def begin() -> Provisioned:
        new = new_organization(f"acme-{next(numbers)}", Tier.STARTER)
        acme = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)
        put(databases, acme.organization.id, range(EVENTS), at=clock[-1])
        put(databases, acme.organization.id, range(EVENTS, EVENTS + HELD), at=clock[-1], is_held=True)
        return acme

    def run(_acme: Provisioned | None = None) -> None:
        """Run the hourly steps after the lease of the run before has expired."""
        now = clock[-1] + ROLL_UP_LEASE_TIME + timedelta(seconds=1)
        clock.append(now)
        rolled_up = roll_up(databases.platform, databases.clickhouse, counters, now=now)
        assert rolled_up.ran
        apply_retention(databases.platform, databases.clickhouse, now=now)
        release_into_room(databases.platform, databases.clickhouse, counters, rolled_up.held, rolled_up.usage, now=now)

    for crash in crashes(begin, run):
        run()

        organization_id = crash.state.organization.id
        assert count_events(databases, organization_id) == EVENTS + HELD, crash
        assert count_events(databases, organization_id, "held_events") == 0, crash
        [(events,)] = aftermath.rows(SUM_EVENTS, (organization_id,))
        assert events in {EVENTS, EVENTS + HELD}, crash  # the next run counts the events that were released just now
        crashed += 1
    run()
    assert aftermath.rows(SUM_EVENTS_OF_ALL) == [(EVENTS + HELD,)]
    assert crashed > 10
