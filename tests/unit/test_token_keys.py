"""The keys of access tokens: when each is published, signs, and stops to verify."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.access_tokens.token_keys import (
    MAX_PUBLIC_KEYS,
    MAX_WITHDRAWN,
    PrivateTokenKey,
    SigningKeys,
    TokenKeys,
    TokenKeysError,
    VerifyingKeys,
    generate_token_key,
    rotate_keys,
    withdraw_key,
)
from tenancy.rules.durations import (
    ACCESS_TOKEN_LIFE,
    SECRET_CACHE_SECONDS,
    TOKEN_KEY_PERIOD,
    TOKEN_KEY_PUBLICATION_TIME,
    TOKEN_KEY_REMOVAL_DELAY,
    TOKEN_LEEWAY_SECONDS,
)
from tests.unit.signed_tokens import encode

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
RUN = timedelta(hours=1)  # between two runs


class Keys:
    """Makes keys that are told apart by their number."""

    made = 0

    def __call__(self) -> PrivateTokenKey:
        self.made += 1
        return PrivateTokenKey(kid=f"key-{self.made}", x="x", y="y", d="private")


@pytest.fixture
def generate() -> Keys:
    return Keys()


@pytest.fixture
def first(generate: Keys) -> TokenKeys:
    return rotate_keys(TokenKeys(), now=NOW, generate=generate)


def signing(keys: TokenKeys) -> SigningKeys:
    assert keys.signing is not None
    return keys.signing


def private_ids(keys: TokenKeys) -> tuple[str, str]:
    return signing(keys).current.kid, signing(keys).next.kid


def public_ids(keys: TokenKeys) -> list[str]:
    return [key.kid for key in keys.verifying.keys]


def test_first_key_signs_at_once_beside_the_next_one(first: TokenKeys) -> None:
    assert private_ids(first) == ("key-1", "key-2")
    assert public_ids(first) == ["key-1", "key-2"]
    assert signing(first).key_at(NOW).kid == "key-1"


def test_nothing_changes_within_a_period(first: TokenKeys, generate: Keys) -> None:
    for since in (timedelta(0), HOUR, TOKEN_KEY_PERIOD - SECOND):
        assert rotate_keys(first, now=NOW + since, generate=generate) == first

    assert generate.made == 2


def test_next_key_signs_after_the_period_without_a_run(first: TokenKeys) -> None:
    assert signing(first).key_at(NOW + TOKEN_KEY_PERIOD - SECOND).kid == "key-1"
    assert signing(first).key_at(NOW + TOKEN_KEY_PERIOD).kid == "key-2"


def test_run_after_the_period_publishes_another_key(first: TokenKeys, generate: Keys) -> None:
    due = NOW + TOKEN_KEY_PERIOD

    rotated = rotate_keys(first, now=due + HOUR, generate=generate)

    assert private_ids(rotated) == ("key-2", "key-3")
    assert public_ids(rotated) == ["key-2", "key-3", "key-1"]
    assert signing(rotated).current_since == due
    assert rotate_keys(rotated, now=due + HOUR, generate=generate) == rotated


def test_key_is_published_15_minutes_before_it_signs(first: TokenKeys, generate: Keys) -> None:
    late = NOW + TOKEN_KEY_PERIOD * 3

    rotated = rotate_keys(first, now=late, generate=generate)

    assert timedelta(minutes=15) == TOKEN_KEY_PUBLICATION_TIME
    assert signing(rotated).next_signs_at == late + TOKEN_KEY_PUBLICATION_TIME
    assert signing(rotated).key_at(late).kid == "key-2"


def test_key_verifies_until_its_last_token_has_ended(first: TokenKeys, generate: Keys) -> None:
    due = NOW + TOKEN_KEY_PERIOD
    rotated = rotate_keys(first, now=due, generate=generate)
    last_token_ends = due + timedelta(seconds=SECRET_CACHE_SECONDS + TOKEN_LEEWAY_SECONDS) + ACCESS_TOKEN_LIFE

    before = rotate_keys(rotated, now=last_token_ends - SECOND, generate=generate)
    after = rotate_keys(rotated, now=last_token_ends, generate=generate)

    assert public_ids(before) == ["key-2", "key-3", "key-1"]
    assert public_ids(after) == ["key-2", "key-3"]


def test_withdrawn_current_key_is_replaced_by_the_next(first: TokenKeys, generate: Keys) -> None:
    left = withdraw_key(first, "key-1", now=NOW + SECOND, generate=generate)

    assert private_ids(left) == ("key-2", "key-3")
    assert public_ids(left) == ["key-2", "key-3"]
    assert signing(left).key_at(NOW + SECOND).kid == "key-2"
    assert left.verifying.withdrawn == ("key-1",)


def test_withdrawn_next_key_leaves_the_current_one(first: TokenKeys, generate: Keys) -> None:
    left = withdraw_key(first, "key-2", now=NOW + HOUR, generate=generate)

    assert private_ids(left) == ("key-1", "key-3")
    assert public_ids(left) == ["key-1", "key-3"]
    assert signing(left).next_published_at == NOW + HOUR


def test_both_private_keys_can_be_withdrawn(first: TokenKeys, generate: Keys) -> None:
    once = withdraw_key(first, "key-1", now=NOW, generate=generate)

    twice = withdraw_key(once, "key-2", now=NOW, generate=generate)

    assert private_ids(twice) == ("key-3", "key-4")
    assert public_ids(twice) == ["key-3", "key-4"]
    assert signing(twice).key_at(NOW).kid == "key-3"


def test_withdrawn_earlier_key_no_longer_verifies(first: TokenKeys, generate: Keys) -> None:
    rotated = rotate_keys(first, now=NOW + TOKEN_KEY_PERIOD, generate=generate)

    left = withdraw_key(rotated, "key-1", now=NOW + TOKEN_KEY_PERIOD, generate=generate)

    assert public_ids(left) == ["key-2", "key-3"]
    assert left.signing == rotated.signing


def test_second_withdrawal_changes_nothing(first: TokenKeys, generate: Keys) -> None:
    left = withdraw_key(first, "key-1", now=NOW, generate=generate)

    assert withdraw_key(left, "key-1", now=NOW + HOUR, generate=generate) == left


def test_unknown_key_cannot_be_withdrawn(first: TokenKeys, generate: Keys) -> None:
    with pytest.raises(TokenKeysError, match=r"No key has the id 'key-9'\. The ids are key-1, key-2\."):
        withdraw_key(first, "key-9", now=NOW, generate=generate)


def test_withdrawal_that_died_is_finished_by_the_next_run(first: TokenKeys, generate: Keys) -> None:
    left = withdraw_key(first, "key-1", now=NOW, generate=generate)
    died = TokenKeys(signing=first.signing, verifying=left.verifying)

    finished = rotate_keys(died, now=NOW + HOUR, generate=generate)

    assert private_ids(finished) == ("key-2", "key-4")
    assert public_ids(finished) == ["key-2", "key-4", "key-3"]


def test_rotation_that_died_is_finished_by_the_next_run(first: TokenKeys, generate: Keys) -> None:
    due = NOW + TOKEN_KEY_PERIOD
    rotated = rotate_keys(first, now=due, generate=generate)
    died = TokenKeys(signing=first.signing, verifying=rotated.verifying)

    finished = rotate_keys(died, now=due + HOUR, generate=generate)
    later = rotate_keys(finished, now=due + HOUR + TOKEN_KEY_REMOVAL_DELAY, generate=generate)

    assert private_ids(finished) == ("key-2", "key-4")
    assert public_ids(finished) == ["key-2", "key-4", "key-3", "key-1"]
    assert public_ids(later) == ["key-2", "key-4"]


def test_first_run_that_died_leaves_no_key_for_long(first: TokenKeys, generate: Keys) -> None:
    died = TokenKeys(verifying=first.verifying)

    finished = rotate_keys(died, now=NOW + HOUR, generate=generate)
    later = rotate_keys(finished, now=NOW + 2 * HOUR, generate=generate)

    assert public_ids(finished) == ["key-3", "key-4", "key-1", "key-2"]
    assert public_ids(later) == ["key-3", "key-4"]


def test_lost_public_keys_are_published_again(first: TokenKeys, generate: Keys) -> None:
    lost = TokenKeys(signing=first.signing)

    assert rotate_keys(lost, now=NOW + HOUR, generate=generate).verifying == first.verifying


@pytest.mark.parametrize("jump", [timedelta(days=3_650), timedelta(days=-3_650)], ids=["ahead", "back"])
def test_rotation_continues_after_a_wrong_clock(jump: timedelta) -> None:
    generate = Keys()
    keys = rotate_keys(TokenKeys(), now=NOW + jump, generate=generate)
    later = NOW + HOUR

    keys = rotate_keys(keys, now=later, generate=generate)

    assert later - TOKEN_KEY_PERIOD < signing(keys).next_signs_at <= later + TOKEN_KEY_PERIOD
    assert all(key.verifies_until is None or key.verifies_until <= later + TOKEN_KEY_REMOVAL_DELAY
               for key in keys.verifying.keys)  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from([RUN, TOKEN_KEY_PERIOD, 5 * TOKEN_KEY_PERIOD]),
            st.sampled_from([timedelta(0)] * 4 + [timedelta(days=400), timedelta(days=-400)]),
            st.sampled_from(["done", "done", "died"]),
        ),
        max_size=12,
    )
)
def test_signing_key_and_its_last_tokens_always_verify(runs: list[tuple[timedelta, timedelta, str]]) -> None:
    """Runs end at any of their writes, and the clock of any run may be wrong.

    The clock of signers is right.
    """
    generate = Keys()
    stored = rotate_keys(TokenKeys(), now=NOW, generate=generate)
    now = NOW
    for pause, error, ending in runs:
        now += pause
        signs = signing(stored).key_at(now).kid
        changed = rotate_keys(stored, now=now + error, generate=generate)
        stored = TokenKeys(signing=stored.signing if ending == "died" else changed.signing, verifying=changed.verifying)
        assert signs in public_ids(stored)  # processes sign with it until they read the secret again
        assert signing(stored).key_at(now).kid in public_ids(stored)


def test_too_many_public_keys_change_nothing(first: TokenKeys, generate: Keys) -> None:
    others = tuple(generate().public for _ in range(MAX_PUBLIC_KEYS))
    crowded = TokenKeys(signing=first.signing, verifying=VerifyingKeys(keys=first.verifying.keys + others))

    with pytest.raises(TokenKeysError, match="22 keys would be public, more than 20"):
        rotate_keys(crowded, now=NOW, generate=generate)


def test_withdrawn_ids_are_bounded(first: TokenKeys, generate: Keys) -> None:
    keys = first
    for _ in range(MAX_WITHDRAWN + 2):
        keys = withdraw_key(keys, private_ids(keys)[0], now=NOW, generate=generate)

    assert len(keys.verifying.withdrawn) == MAX_WITHDRAWN
    assert len(keys.verifying.keys) == 2


def test_generated_keys_differ_and_survive_their_text() -> None:
    keys = rotate_keys(TokenKeys(), now=NOW, generate=generate_token_key)

    assert len({*private_ids(keys)}) == 2
    assert msgspec.json.decode(msgspec.json.encode(keys.signing), type=SigningKeys) == keys.signing
    assert msgspec.json.decode(msgspec.json.encode(keys.verifying), type=VerifyingKeys) == keys.verifying


def test_id_of_a_key_is_its_thumbprint() -> None:
    key = generate_token_key()

    members = json.dumps({"crv": "P-256", "kty": "EC", "x": key.x, "y": key.y}, separators=(",", ":"))

    assert key.kid == encode(hashlib.sha256(members.encode()).digest())


def test_private_key_is_in_no_representation() -> None:
    key = generate_token_key()
    keys = rotate_keys(TokenKeys(), now=NOW, generate=lambda: key)

    assert key.d not in f"{keys!r} {key} {keys.signing}"
    assert key.d not in msgspec.json.encode(keys.verifying).decode()
