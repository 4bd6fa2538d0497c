"""A sweep that dies at any moment: the next one ends what it began, and a mail comes twice at most."""

from datetime import datetime, timedelta
from itertools import count

from tenancy.rules.durations import SWEEP_LEASE_TIME
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.sweep import sweep
from tests.crash.aftermath import Aftermath
from tests.crash.deaths import deaths
from tests.given import NOW, OPERATOR, Databases, new_organization

HOUR = timedelta(hours=1)


def test_what_is_owed_is_done_though_the_sweep_dies(
    databases: Databases, targets: OutboxTargets, counters: Redis, aftermath: Aftermath
) -> None:
    numbers, died = count(), 0

    def begin() -> tuple[Provisioned, datetime]:
        number = next(numbers)
        now = NOW + number * HOUR
        new = new_organization(f"acme-{number}")
        return provision_organization(databases.platform, targets, new, OPERATOR, now=now), now

    def run(state: tuple[Provisioned, datetime]) -> None:
        sweep(databases.platform, counters, targets, now=state[1])

    for death in deaths(begin, run):
        made, now = death.state
        again = sweep(databases.platform, counters, targets, now=now + SWEEP_LEASE_TIME)
        assert again is not None, death
        assert aftermath.owed(made.organization.id) == [], death
        assert 1 <= len(aftermath.mails_to(made.admin_email)) <= 2, death
        died += 1
    assert died > 15
