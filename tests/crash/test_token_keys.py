"""Rotations and withdrawals of token keys that crash at any moment."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tenancy.rules.durations import TOKEN_KEY_PERIOD, TOKEN_KEY_REMOVAL_DELAY
from tenancy.stores.aws.secrets import Secrets
from tenancy.use_cases.keys.rotate_token_keys import rotate_token_keys, withdraw_token_key
from tests.crash.crashes import crashes
from tests.given import AwsAccount
from tests.use_cases.token_keys import new_secrets, private_ids, public_ids, stored

pytestmark = pytest.mark.exhaustive

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DUE = NOW + TOKEN_KEY_PERIOD


@pytest.fixture
def begin(aws: AwsAccount) -> Callable[[], Secrets]:
    """Make new secrets, whose first keys are stored."""

    def made() -> Secrets:
        secrets = new_secrets(aws.endpoint_url)
        rotate_token_keys(secrets, now=NOW)
        return secrets

    return made


def assert_signing_key_is_public(secrets: Secrets, crash: object) -> None:
    keys = stored(secrets)
    assert keys.signing is None or keys.signing.key_at(DUE).kid in public_ids(keys), crash


def test_crashed_first_run_is_finished_by_the_next(aws: AwsAccount) -> None:
    crashed = 0

    for crash in crashes(lambda: new_secrets(aws.endpoint_url), lambda secrets: rotate_token_keys(secrets, now=NOW)):
        assert_signing_key_is_public(crash.state, crash)

        keys = rotate_token_keys(crash.state, now=NOW)

        assert keys == stored(crash.state), crash
        assert {*private_ids(keys)} <= {*public_ids(keys)}, crash
        crashed += 1
    assert crashed == 3


def test_crashed_rotation_is_finished_by_the_next(begin: Callable[[], Secrets]) -> None:
    crashed = 0

    for crash in crashes(begin, lambda secrets: rotate_token_keys(secrets, now=DUE)):
        former = stored(crash.state)
        assert_signing_key_is_public(crash.state, crash)

        rotate_token_keys(crash.state, now=DUE)
        keys = rotate_token_keys(crash.state, now=DUE + TOKEN_KEY_REMOVAL_DELAY)

        assert private_ids(keys)[0] in public_ids(former), crash
        assert public_ids(keys) == private_ids(keys), crash
        crashed += 1
    assert crashed == 3


def test_crashed_withdrawal_is_finished_by_the_next_run(begin: Callable[[], Secrets]) -> None:
    crashed = 0

    def withdraw(secrets: Secrets) -> None:
        withdraw_token_key(secrets, private_ids(stored(secrets))[0], now=NOW)

    for crash in crashes(begin, withdraw):
        withdrawn = stored(crash.state).verifying.withdrawn

        keys = rotate_token_keys(crash.state, now=NOW)

        assert {*withdrawn}.isdisjoint({*private_ids(keys), *public_ids(keys)}), crash
        assert len(withdrawn) == (0 if crashed == 0 else 1), crash
        crashed += 1
    assert crashed == 3
