"""DELETE and PATCH when Redis is slow or away: they are answered, and nobody is served for long."""

from collections.abc import Callable

import pytest

from tenancy.stores.aws.secrets import REDIS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import PutSecret, Start
from tests.handlers.requests import OPERATOR, Event, answer_of, at, called_by, problem_of, sample, with_body
from tests.handlers.test_sweep import EVERY_MINUTE, make_all_due

METRIC = "StandingNotPublished"


def on(who: Provisioned, function: str, case: str) -> Event:
    own = str(who.organization.id)
    request = sample(function, case)
    request = at(request, f"/organizations/{own}", request["resource"])
    return called_by({**request, "pathParameters": {"organization_id": own}}, OPERATOR)


def deletion(who: Provisioned) -> Event:
    return on(who, "delete", "delete")


def suspension(who: Provisioned) -> Event:
    return with_body(on(who, "provision", "change_tier"), {"status": "suspended"})


type Change = tuple[str, Callable[[Provisioned], Event]]

CHANGES: list[Change] = [("delete", deletion), ("provision", suspension)]


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_told_although_redis_is_too_slow_for_admission(
    start: Start, acme: Provisioned, change: Change
) -> None:
    function, request_of = change
    usage, read = start("usage"), called_by(sample("usage", "usage"), tenant_of(acme))
    assert answer_of(usage(read)).status == 200
    hasty = start(function, REDIS_PATIENCE_MS="0")
    assert answer_of(hasty(request_of(acme))).status in {200, 202}
    problem_of(usage(read), read, 403, "organization_inactive")


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_without_redis_is_answered_counted_and_told_by_the_sweep(
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
    changing, sweep_without = start(function), start("sweep")
    assert answer_of(changing(request_of(acme))).status in {200, 202}
    [counted] = [line for line in capsys.readouterr().out.splitlines() if METRIC in line]
    assert str(acme.organization.id) in counted
    make_all_due(databases)
    assert "standing" in sweep_without(EVERY_MINUTE)["failed"]
    assert METRIC in capsys.readouterr().out
    put_secret(REDIS, databases.servers.valkey_url)
    make_all_due(databases)
    assert "standing" in start("sweep")(EVERY_MINUTE)["done"]
    problem_of(usage(read), read, 403, "organization_inactive")
