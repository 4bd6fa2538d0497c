"""Provisioning that dies at any moment: whoever comes next finishes it, and there is one of everything."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import pytest

from tenancy.errors import RequestInProgressError
from tenancy.rules.durations import OUTBOX_CLAIM_TIME, PROVISIONING_CLAIM_TIME
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.organizations.provision_once import provision_once
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tenancy.use_cases.schedule.sweep import sweep
from tests.crash.aftermath import Aftermath
from tests.crash.deaths import Death, deaths
from tests.given import NOW, OPERATOR, Databases, new_organization

SECOND = timedelta(seconds=1)
NOTHING, WHOLE = (0, 0, 0, 0), (1, 1, 2, 1)


@dataclass(slots=True)
class Request:
    """A client's request for an organization of its own, and what it was answered."""

    databases: Databases
    targets: OutboxTargets
    encryptor: Encryptor
    number: int
    answers: list[Provisioned] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"acme-{self.number}"

    def send(self, now: datetime = NOW) -> None:
        new = new_organization(self.name, Tier.STARTER)
        self.answers.append(
            provision_once(
                self.databases.platform, self.targets, self.encryptor, new, OPERATOR, idempotency_key=self.name, now=now
            )
        )

    def repeat(self) -> None:
        """Send it again until it is answered, as the API says."""
        for wait in (SECOND, PROVISIONING_CLAIM_TIME, PROVISIONING_CLAIM_TIME + OUTBOX_CLAIM_TIME):
            try:
                self.send(NOW + wait)
            except RequestInProgressError:
                continue
            return
        pytest.fail("It is never answered.")


@pytest.mark.parametrize("who_is_next", ["client", "sweep"])
def test_an_organization_is_provisioned_once_whenever_the_request_died(
    databases: Databases,
    targets: OutboxTargets,
    encryptor: Encryptor,
    counters: Redis,
    aftermath: Aftermath,
    who_is_next: str,
) -> None:
    numbers, died = count(), 0
    for death in deaths(lambda: Request(databases, targets, encryptor, next(numbers)), Request.send):
        request = death.state
        left = aftermath.counts(request.name)
        assert left in {NOTHING, WHOLE}, death
        if who_is_next == "sweep":
            sweep(databases.platform, counters, targets, now=NOW + OUTBOX_CLAIM_TIME)
            require_nothing_owed(request, aftermath, death)
        request.repeat()
        run_due_entries(databases.platform, targets, now=NOW + 3 * OUTBOX_CLAIM_TIME)
        assert all(answer == request.answers[0] for answer in request.answers), death
        require_nothing_owed(request, aftermath, death)
        assert len(request.answers) == (2 if death.is_last else 1)
        died += 1
    assert died > 25


def require_nothing_owed(request: Request, aftermath: Aftermath, death: Death[Request]) -> None:
    """Demand an organization with all that belongs to it, or none."""
    counted = aftermath.counts(request.name)
    assert counted == WHOLE or (counted == NOTHING and not request.answers), death
    if counted == NOTHING:
        return
    [(organization_id,)] = aftermath.rows("SELECT id FROM organizations WHERE subdomain = %s", (request.name,))
    assert aftermath.owed(organization_id) == [], death
    assert aftermath.gateway_keys(organization_id) == [("starter", f"organization-{organization_id}-1")], death
    assert len(aftermath.mails_to(f"admin@{request.name}.example")) == 1, death
