"""The cache of verified tokens: it has no refused token, and times are compared on each use."""

from datetime import UTC, datetime, timedelta

import pytest

from tenancy.rules.access_tokens.verify import KEPT_TOKENS, KeySet
from tests.unit.signed_tokens import (
    CLAIMS,
    HEADER,
    KEY_SET,
    NOW,
    SECONDS,
    USER,
    refused,
    sign_as_a_stranger,
    sign_rs256,
    token,
)

GOOD = token(HEADER, CLAIMS)


@pytest.fixture
def key_set() -> KeySet:
    """Return a key set with an empty cache."""
    return KeySet(keys=KEY_SET.keys, issuer=KEY_SET.issuer, audience=KEY_SET.audience)


def test_second_use_returns_the_same_claims(key_set: KeySet) -> None:
    first = key_set.verify(GOOD, now=NOW)

    assert key_set.verify(GOOD, now=NOW) is first
    assert str(first.user_id) == USER


def test_cache_has_no_token_text(key_set: KeySet) -> None:
    key_set.verify(GOOD, now=NOW)

    [digest] = key_set._verified

    assert len(digest) == 32
    assert GOOD not in repr(key_set)
    assert GOOD.rpartition(".")[2] not in repr(key_set._verified)


@pytest.mark.parametrize(
    "forged",
    [
        GOOD[:-4] + ("AAAA" if GOOD[-4:] != "AAAA" else "BBBB"),
        f"{GOOD.rpartition('.')[0]}.{token(HEADER, {**CLAIMS, 'jti': 'x'}).rpartition('.')[2]}",
        token(HEADER, CLAIMS, sign_as_a_stranger),
        token({**HEADER, "kid": "2026-12"}, CLAIMS),
        token(HEADER, {**CLAIMS, "aud": "https://evil.example"}),
        token(HEADER, {**CLAIMS, "exp": True}),
        "a.b.c",
    ],
    ids=range(7),
)
def test_refused_token_is_not_cached(key_set: KeySet, forged: str) -> None:
    key_set.verify(GOOD, now=NOW)

    for _ in range(2):
        assert refused(forged, key_set=key_set)

    assert len(key_set._verified) == 1


def test_cached_token_expires_and_is_removed(key_set: KeySet) -> None:
    ends_at = datetime.fromtimestamp(CLAIMS["exp"], UTC) + timedelta(minutes=1)

    assert not refused(GOOD, key_set=key_set, now=ends_at - timedelta(microseconds=1))
    assert refused(GOOD, key_set=key_set, now=ends_at)
    assert key_set._verified == {}
    assert refused(GOOD, key_set=key_set, now=ends_at)


def test_cached_token_is_refused_before_nbf(key_set: KeySet) -> None:
    text = token(HEADER, {**CLAIMS, "nbf": SECONDS + 120})
    starts_at = NOW + timedelta(seconds=60)

    for _ in range(2):
        assert refused(text, key_set=key_set, now=starts_at - timedelta(microseconds=1))
        assert not refused(text, key_set=key_set, now=starts_at)


def test_full_cache_drops_the_oldest_token(key_set: KeySet) -> None:
    key_set.verify(GOOD, now=NOW)
    header = {**HEADER, "alg": "RS256", "kid": "2026-10"}
    texts = [token(header, {**CLAIMS, "jti": str(number)}, sign_rs256) for number in range(KEPT_TOKENS)]

    for text in texts:
        key_set.verify(text, now=NOW)

    assert len(key_set._verified) == KEPT_TOKENS
    assert not refused(GOOD, key_set=key_set)
    assert len(key_set._verified) == KEPT_TOKENS
