"""The keys of access tokens in their secrets: rotation, withdrawal, and runs at once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tenancy.rules.access_tokens.token_keys import TokenKeysError
from tenancy.rules.durations import TOKEN_KEY_PERIOD, TOKEN_KEY_REMOVAL_DELAY
from tenancy.stores.aws.secrets import TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS, SecretChangedError, Secrets
from tenancy.use_cases.keys.rotate_token_keys import rotate_token_keys, withdraw_token_key
from tests import aws_account
from tests.given import AwsAccount
from tests.use_cases.token_keys import PREFIX, new_secrets, private_ids, public_ids, stored

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DUE = NOW + TOKEN_KEY_PERIOD

type Interrupt = Callable[[str, Callable[[], object]], None]


@pytest.fixture
def secrets(aws: AwsAccount) -> Secrets:
    return new_secrets(aws.endpoint_url)


@pytest.fixture
def before_write(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Run something right before the first write of a secret, as another process may."""

    def interrupt(name: str, run: Callable[[], object]) -> None:
        replace = Secrets.replace_secret

        def replaced(self: Secrets, written: str, text: str, **read: object) -> None:
            if written == name:
                monkeypatch.setattr(Secrets, "replace_secret", replace)
                run()
            replace(self, written, text, **read)  # type: ignore[arg-type]

        monkeypatch.setattr(Secrets, "replace_secret", replaced)

    return interrupt


def versions(secrets: Secrets) -> list[str | None]:
    return [secrets.read_secret(name).version for name in (TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS)]


def assert_consistent(secrets: Secrets) -> None:
    """Each private key has its public half."""
    keys = stored(secrets)
    assert private_ids(keys)
    assert {*private_ids(keys)} <= {*public_ids(keys)}


def test_first_run_stores_both_secrets(secrets: Secrets) -> None:
    keys = rotate_token_keys(secrets, now=NOW)

    assert stored(secrets) == keys
    assert public_ids(keys) == private_ids(keys)


def test_first_run_replaces_empty_values(secrets: Secrets) -> None:
    """A secret without a value has no text on AWS, and an empty text in the emulator."""
    for name in (TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS):
        aws_account.put_secret(f"{PREFIX}/{name}", "")

    keys = rotate_token_keys(secrets, now=NOW)

    assert stored(secrets) == keys


def test_run_without_a_change_writes_nothing(secrets: Secrets) -> None:
    keys = rotate_token_keys(secrets, now=NOW)
    before = versions(secrets)

    assert rotate_token_keys(secrets, now=NOW + timedelta(hours=1)) == keys
    assert versions(secrets) == before


def test_due_run_rotates_once(secrets: Secrets) -> None:
    first = rotate_token_keys(secrets, now=NOW)
    rotated = rotate_token_keys(secrets, now=DUE)

    again = rotate_token_keys(secrets, now=DUE)

    assert again == rotated == stored(secrets)
    assert private_ids(rotated)[0] == private_ids(first)[1]


def test_withdrawal_removes_the_key_from_both_secrets(secrets: Secrets) -> None:
    [stolen, following] = private_ids(rotate_token_keys(secrets, now=NOW))

    withdraw_token_key(secrets, stolen, now=NOW)

    texts = [secrets.read_secret(name).text or "" for name in (TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS)]
    assert stolen not in texts[1]
    assert stolen not in public_ids(stored(secrets))
    assert private_ids(stored(secrets))[0] == following


def test_withdrawal_of_an_unknown_key_changes_nothing(secrets: Secrets) -> None:
    rotate_token_keys(secrets, now=NOW)
    before = versions(secrets)

    with pytest.raises(TokenKeysError, match="No key has the id"):
        withdraw_token_key(secrets, "unknown", now=NOW)

    assert versions(secrets) == before


@pytest.mark.parametrize("name", [TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS])
@pytest.mark.parametrize("start", [NOW, DUE], ids=["first run", "rotation"])
def test_two_runs_at_once_leave_one_set(secrets: Secrets, before_write: Interrupt, name: str, start: datetime) -> None:
    if start == DUE:
        rotate_token_keys(secrets, now=NOW)
    before_write(name, lambda: rotate_token_keys(secrets, now=start))

    keys = rotate_token_keys(secrets, now=start)

    assert stored(secrets) == keys
    assert_consistent(secrets)
    rotate_token_keys(secrets, now=start + TOKEN_KEY_REMOVAL_DELAY)
    assert public_ids(stored(secrets)) == private_ids(stored(secrets))


@pytest.mark.parametrize("name", [TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS])
def test_withdrawal_beside_a_rotation_removes_the_key(secrets: Secrets, before_write: Interrupt, name: str) -> None:
    stolen = private_ids(rotate_token_keys(secrets, now=NOW))[1]
    before_write(name, lambda: withdraw_token_key(secrets, stolen, now=DUE))

    rotate_token_keys(secrets, now=DUE)

    keys = stored(secrets)
    assert stolen not in {*private_ids(keys), *public_ids(keys)}
    assert_consistent(secrets)


def test_secret_that_always_changes_is_an_error(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[str] = []

    def replace(_: Secrets, name: str, *__: object, **___: object) -> None:
        attempts.append(name)
        raise SecretChangedError(name)

    monkeypatch.setattr(Secrets, "replace_secret", replace)

    with pytest.raises(SecretChangedError):
        rotate_token_keys(secrets, now=NOW)

    assert len(attempts) == 3


@pytest.mark.parametrize("name", [TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS])
@pytest.mark.parametrize("text", ["{", "[]", '{"current": 1}', '{"keys": [{}]}', '"x"'])
def test_malformed_secret_is_not_overwritten(secrets: Secrets, name: str, text: str) -> None:
    secrets.put_secret(name, text)

    with pytest.raises(TokenKeysError, match=f"The secret {name} is malformed"):
        rotate_token_keys(secrets, now=NOW)

    assert secrets.read_secret(name).text == text


def test_null_makes_new_keys(secrets: Secrets) -> None:
    before = rotate_token_keys(secrets, now=NOW)
    secrets.put_secret(TOKEN_SIGNING_KEYS, "null")

    keys = rotate_token_keys(secrets, now=NOW)

    assert {*private_ids(keys)}.isdisjoint(private_ids(before))
    assert {*private_ids(before)} <= {*public_ids(keys)}
