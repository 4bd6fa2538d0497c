"""Deletion and suspension while Redis is slow or unreachable: their standing is published."""

from collections.abc import Callable

import pytest

from tenancy.stores.aws.secrets import REDIS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import PutSecret, Start
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, problem_of, sample, with_body, with_path
from tests.handlers.scheduled_sweep import EVERY_MINUTE, make_all_due

METRIC = "StandingNotPublished"


def operator_request(provisioned: Provisioned, function: str, case: str) -> Event:
    own = str(provisioned.organization.id)
    request = sample(function, case)
    request = with_path(request, f"/organizations/{own}", request["resource"])
    return called_by({**request, "pathParameters": {"organization_id": own}}, OPERATOR)


def deletion_request(provisioned: Provisioned) -> Event:
    return operator_request(provisioned, "delete", "delete")


def suspension_request(provisioned: Provisioned) -> Event:
    return with_body(operator_request(provisioned, "provision", "change_tier"), {"status": "suspended"})


type Change = tuple[str, Callable[[Provisioned], Event]]

CHANGES: list[Change] = [("delete", deletion_request), ("provision", suspension_request)]


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("change", CHANGES)
def test_change_is_published_even_if_redis_is_slow(start: Start, acme: Provisioned, change: Change) -> None:
    function, request_of = change
    usage, read = start("usage"), called_by(sample("usage", "usage"), tenant_of(acme))
    assert answer_of(usage(read)).status == 200
    impatient = start(function, REDIS_PATIENCE_MS="0")

    assert answer_of(impatient(request_of(acme))).status in {200, 202}
    problem_of(usage(read), read, 403, "organization_inactive")


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("change", CHANGES)
def test_sweep_publishes_a_change_that_redis_missed(
    start: Start,
    databases: Databases,
    put_secret: PutSecret,
    nowhere: str,
    acme: Provisioned,
    capsys: pytest.CaptureFixture[str],
    change: Change,
) -> None:
    function, request_of = change
    usage, read = start("usage"), called_by(sample("usage", "usage"), tenant_of(acme))

    assert answer_of(usage(read)).status == 200
    put_secret(REDIS, f"redis://{nowhere}/0")
    change_function, sweep_without_redis = start(function), start("sweep")

    assert answer_of(change_function(request_of(acme))).status in {200, 202}
    [metric] = [line for line in capsys.readouterr().out.splitlines() if METRIC in line]
    assert str(acme.organization.id) in metric

    make_all_due(databases)

    assert "standing" in sweep_without_redis(EVERY_MINUTE)["failed"]
    assert METRIC in capsys.readouterr().out

    put_secret(REDIS, databases.servers.valkey_url)
    make_all_due(databases)

    assert "standing" in start("sweep")(EVERY_MINUTE)["done"]
    problem_of(usage(read), read, 403, "organization_inactive")
