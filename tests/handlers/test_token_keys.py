"""The function token_keys: on deploy, on its schedule, and by hand in an emergency."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tenancy.rules.access_tokens.token_keys import TokenKeysError
from tenancy.rules.durations import TOKEN_KEY_PERIOD, TOKEN_KEYS_CACHE_SECONDS, WRITE_KEY_CACHE_TIME
from tenancy.stores.aws.secrets import TOKEN_SIGNING_KEYS, Secrets
from tests.given import AwsAccount
from tests.handlers.clock import StoppedClock
from tests.handlers.cloudformation import report_server, stack_request
from tests.handlers.functions import Function, LogLines, PutSecret, Start
from tests.handlers.requests import sample
from tests.use_cases.token_keys import new_secrets, private_ids, public_ids, stored

HOURLY = sample("token_keys", "hourly")
BY_HAND = sample("token_keys", "by_hand")


@pytest.fixture
def secrets(aws: AwsAccount) -> Secrets:
    return new_secrets(aws.endpoint_url)


@pytest.fixture
def token_keys(start: Start, secrets: Secrets) -> Function:  # noqa: ARG001
    return start("token_keys")


@pytest.fixture
def reports() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    with report_server() as served:
        yield served


def test_deploy_makes_a_key_that_signs_at_once(
    token_keys: Function, secrets: Secrets, reports: tuple[str, list[dict[str, Any]]]
) -> None:
    url, received = reports

    token_keys(stack_request("Create", url))

    keys = stored(secrets)
    assert (received[0]["Status"], received[0]["PhysicalResourceId"]) == ("SUCCESS", "token-keys")
    assert received[0]["Data"]["Current"] == private_ids(keys)[0]
    assert public_ids(keys) == private_ids(keys)


def test_later_deploys_and_the_end_of_a_stack_change_no_key(
    token_keys: Function, secrets: Secrets, reports: tuple[str, list[dict[str, Any]]]
) -> None:
    url, received = reports
    token_keys(stack_request("Create", url))
    before = stored(secrets)

    token_keys(stack_request("Update", url))
    token_keys(stack_request("Delete", url))

    assert [report["Status"] for report in received] == ["SUCCESS"] * 3
    assert stored(secrets) == before


def test_failed_deploy_is_reported_without_a_key(
    token_keys: Function, put_secret: PutSecret, reports: tuple[str, list[dict[str, Any]]]
) -> None:
    url, received = reports
    put_secret(TOKEN_SIGNING_KEYS, '{"current": "private-text"}')

    token_keys(stack_request("Create", url))

    assert received[0]["Status"] == "FAILED"
    assert "The secret token-signing-keys is malformed" in received[0]["Reason"]
    assert "private-text" not in json.dumps(received)


@pytest.mark.parametrize("event", [HOURLY, BY_HAND], ids=["schedule", "by hand"])
def test_run_rotates_after_the_period(
    token_keys: Function, secrets: Secrets, clock: StoppedClock, event: dict[str, Any]
) -> None:
    clock.stop(token_keys)
    first = token_keys(event)

    clock.advance(TOKEN_KEY_PERIOD)
    rotated = token_keys(event)

    assert rotated["Current"] == first["Next"]
    assert rotated["Verifying"] == [rotated["Current"], rotated["Next"], first["Current"]]
    assert private_ids(stored(secrets)) == [rotated["Current"], rotated["Next"]]


def test_withdrawn_key_is_in_no_secret_and_is_withdrawn_again(token_keys: Function, secrets: Secrets) -> None:
    first = token_keys(BY_HAND)

    results = [token_keys({"withdraw": first["Current"]}) for _ in range(2)]

    assert results[0] == results[1]
    assert results[0]["Current"] == first["Next"]
    assert results[0]["Withdrawn"] == [first["Current"]]
    assert first["Current"] not in [*public_ids(stored(secrets)), *private_ids(stored(secrets))]


@pytest.mark.parametrize(
    "event",
    [
        {"withdraw": 5},
        {"withdraw": None},
        {"withdraw": ["x"]},
        {"withdrawl": "x"},
        {"Withdraw": "x"},
        {"withdraw": "x", "force": True},
    ],
    ids=str,
)
def test_misspelled_withdrawal_is_an_error(token_keys: Function, secrets: Secrets, event: dict[str, Any]) -> None:
    with pytest.raises(TokenKeysError, match=r"Expected .*withdraw.*id of a key"):
        token_keys(event)

    assert private_ids(stored(secrets)) == []


def test_unknown_key_is_an_error_that_names_the_keys(token_keys: Function) -> None:
    first = token_keys(BY_HAND)

    with pytest.raises(TokenKeysError, match=first["Current"]):
        token_keys({"withdraw": "unknown"})


def test_log_has_ids_and_no_private_key(token_keys: Function, secrets: Secrets, logged: LogLines) -> None:
    first = token_keys(BY_HAND)
    token_keys({"withdraw": first["Current"]})

    lines = json.dumps(logged())

    keys = stored(secrets)
    assert keys.signing is not None
    assert first["Current"] in lines
    assert keys.signing.current.d not in lines
    assert keys.signing.current.x not in lines


def test_withdrawal_takes_effect_within_six_minutes() -> None:
    """Every process reads the secret again, and API Gateway asks the authorizer again."""
    assert TOKEN_KEYS_CACHE_SECONDS + WRITE_KEY_CACHE_TIME.total_seconds() < 6 * 60
