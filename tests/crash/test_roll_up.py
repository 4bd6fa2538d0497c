"""A roll-up that dies at any moment: the next one, when the dead one's lease has ended, counts the same."""

from datetime import timedelta
from itertools import count

from tenancy.rules.durations import ROLL_UP_LEASE_TIME
from tenancy.rules.tiers import Tier
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.held_events.release_held import release_into_room
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.apply_retention import apply_retention
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.crash.aftermath import Aftermath
from tests.crash.deaths import deaths
from tests.given import NOW, OPERATOR, Databases, new_organization
from tests.use_cases.storing import count as count_events
from tests.use_cases.storing import put

EVENTS, HELD = 5, 3
FIND_USAGE = "SELECT sum(events_count), count(*) FROM tenant_usage WHERE organization_id = %s"
numbers = count()


def test_an_hour_is_counted_and_held_events_are_released_once_whenever_it_died(
    databases: Databases, targets: OutboxTargets, counters: Redis, aftermath: Aftermath
) -> None:
    clock, died = [NOW], 0

    def begin() -> Provisioned:
        new = new_organization(f"acme-{next(numbers)}", Tier.STARTER)
        made = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)
        put(databases, made.organization.id, range(EVENTS), at=clock[-1])
        put(databases, made.organization.id, range(EVENTS, EVENTS + HELD), at=clock[-1], is_held=True)
        return made

    def run(_made: Provisioned | None = None) -> None:
        """Do all that the function does, when the lease of the one before has ended."""
        now = clock[-1] + ROLL_UP_LEASE_TIME + timedelta(seconds=1)
        clock.append(now)
        done = roll_up(databases.platform, databases.clickhouse, counters, now=now)
        assert done.ran
        apply_retention(databases.platform, databases.clickhouse, now=now)
        release_into_room(databases.platform, databases.clickhouse, counters, done.held, done.usage, now=now)

    for death in deaths(begin, run):
        own = death.state.organization.id
        run()
        assert count_events(databases, own) == EVENTS + HELD, death
        assert count_events(databases, own, "held_events") == 0, death
        [(events, _)] = aftermath.rows(FIND_USAGE, (own,))
        assert events in {EVENTS, EVENTS + HELD}, death  # what was released just now is counted by the next one
        died += 1
    run()
    assert aftermath.rows("SELECT DISTINCT sum(events_count) FROM tenant_usage GROUP BY organization_id") == [(8,)]
    assert died > 30
