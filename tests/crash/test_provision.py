"""Provisioning that crashes at any moment: the retry or the sweep completes it, once."""

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
from tests.crash.crashes import Crash, crashes
from tests.given import NOW, OPERATOR, Databases, new_organization

pytestmark = pytest.mark.exhaustive

SECOND = timedelta(seconds=1)
NOTHING, WHOLE = (0, 0, 0, 0), (1, 1, 2, 1)


@dataclass(slots=True)
class Request:
    """A client's request for an organization of its own, and the answers to it."""

    databases: Databases
    targets: OutboxTargets
    encryptor: Encryptor
    number: int
    answers: list[Provisioned] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"acme-{self.number}"

    def send(self, now: datetime = NOW) -> None:
        new, platform_db = new_organization(self.name, Tier.STARTER), self.databases.platform
        self.answers.append(
            provision_once(platform_db, self.targets, self.encryptor, new, OPERATOR, idempotency_key=self.name, now=now)
        )

    def retry(self) -> None:
        """Send the request again until it is answered, as docs/api.md tells clients."""
        for wait in (SECOND, PROVISIONING_CLAIM_TIME, PROVISIONING_CLAIM_TIME + OUTBOX_CLAIM_TIME):
            try:
                self.send(NOW + wait)
            except RequestInProgressError:
                continue
            return
        pytest.fail("The request is never answered.")


@pytest.mark.parametrize("next_step", ["client", "sweep"])
def test_crashed_request_provisions_one_organization(
    databases: Databases,
    targets: OutboxTargets,
    encryptor: Encryptor,
    counters: Redis,
    aftermath: Aftermath,
    next_step: str,
) -> None:
    numbers, crashed = count(), 0
    for crash in crashes(lambda: Request(databases, targets, encryptor, next(numbers)), Request.send):
        request = crash.state
        assert aftermath.counts(request.name) in {NOTHING, WHOLE}, crash
        if next_step == "sweep":
            sweep(databases.platform, counters, targets, now=NOW + OUTBOX_CLAIM_TIME)
            require_whole_or_nothing(aftermath, crash)

        request.retry()
        run_due_entries(databases.platform, targets, now=NOW + 3 * OUTBOX_CLAIM_TIME)

        assert all(answer == request.answers[0] for answer in request.answers), crash
        require_whole_or_nothing(aftermath, crash)
        assert len(request.answers) == (2 if crash.is_last else 1)
        crashed += 1
    assert crashed > 5


def require_whole_or_nothing(aftermath: Aftermath, crash: Crash[Request]) -> None:
    """Require an organization with rows, gateway key and one mail, or no organization at all."""
    request = crash.state
    counts = aftermath.counts(request.name)
    assert counts == WHOLE or (counts == NOTHING and not request.answers), crash
    if counts == NOTHING:
        return
    [(organization_id,)] = aftermath.rows("SELECT id FROM organizations WHERE subdomain = %s", (request.name,))
    assert aftermath.pending_kinds(organization_id) == [], crash
    assert aftermath.gateway_keys(organization_id) == [("starter", f"organization-{organization_id}-1")], crash
    assert len(aftermath.mails_to(f"admin@{request.name}.example")) == 1, crash
