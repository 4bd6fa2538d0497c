"""Fuzzed requests to the routes of tenants get documented answers."""

import pytest

from tenancy.rules.tiers import Tier
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import Databases, provision
from tests.handlers.functions import Start
from tests.handlers.fuzzing import TENANT_ROUTES, fuzz
from tests.handlers.local_api import LocalApi, StartedFunctions

EXAMPLES = 5


@pytest.mark.exhaustive
@pytest.mark.usefixtures("secrets")
def test_fuzzed_requests_get_documented_answers(
    start: Start, databases: Databases, targets: OutboxTargets, subtests: pytest.Subtests
) -> None:
    acme = provision(databases, targets, "acme", Tier.ENTERPRISE)  # its rate limit exceeds the number of requests
    api = LocalApi(functions=StartedFunctions(start), acme=acme)

    statuses = fuzz(api, TENANT_ROUTES, subtests, examples=EXAMPLES)

    assert {200, 422} <= statuses
