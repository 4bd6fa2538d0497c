"""Tokens are verified with the platform's and the operator's keys, with few reads."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import jwt
import msgspec
import pytest

from tenancy.errors import AwsCallError, UnauthenticatedError, UnavailableError
from tenancy.rules.access_tokens.public_keys import KeySetError
from tenancy.rules.access_tokens.sign import sign_access_token
from tenancy.rules.access_tokens.token_keys import TokenKeys, generate_token_key, rotate_keys, withdraw_key
from tenancy.rules.durations import TOKEN_KEYS_CACHE_SECONDS, UNKNOWN_KEY_PAUSE_SECONDS
from tenancy.use_cases.keys.sign_tokens import TokenSigner
from tenancy.use_cases.keys.verify_tokens import TokenVerifier
from tests.unit.signed_tokens import CLAIMS, HEADER, ISSUER, NEW_JWK, NOW, OLD_JWK, token
from tests.unit.test_access_tokens import HOLDER

OPERATORS = json.dumps({"keys": [OLD_JWK, NEW_JWK]})
OPERATORS_TOKEN = token(HEADER, CLAIMS)
KEYS = rotate_keys(TokenKeys(), now=NOW, generate=generate_token_key)
assert KEYS.signing is not None
SIGNING = KEYS.signing
OWN = msgspec.json.encode(KEYS.verifying).decode()
UNKNOWN = [sign_access_token(generate_token_key(), HOLDER, issuer=ISSUER, now=NOW) for _ in range(20)]


class StoredTexts:
    """Both secrets behind a cache of their readers, as `Secrets` caches them.

    *reads* counts the calls of AWS.
    """

    def __init__(self, own: str | None, operators: str | None) -> None:
        self.texts = {"own": own, "operators": operators}
        self.reads: Counter[str] = Counter()
        self.seconds = 0.0
        self._cache: dict[str, tuple[float, str | None]] = {}

    def verifier(self) -> TokenVerifier:
        return TokenVerifier(self._reader("own"), self._reader("operators"), issuer=ISSUER)

    def _reader(self, name: str) -> Callable[[float], str | None]:
        def read(max_age_seconds: float) -> str | None:
            cached = self._cache.get(name)
            if cached is None or self.seconds - cached[0] > max_age_seconds:
                self.reads[name] += 1
                cached = self._cache[name] = self.seconds, self.texts[name]
            return cached[1]

        return read


def own_token(key: int = 0) -> str:
    private = (SIGNING.current, SIGNING.next)[key]
    return sign_access_token(private, HOLDER, issuer=ISSUER, now=NOW)


def is_refused(verifier: TokenVerifier, text: str) -> bool:
    try:
        verifier.verify(text, now=NOW)
    except UnauthenticatedError:
        return True
    return False


def test_keys_of_platform_and_operator_verify() -> None:
    verifier = StoredTexts(OWN, OPERATORS).verifier()

    assert verifier.verify(own_token(), now=NOW).sid == HOLDER.session_id
    assert verifier.verify(own_token(1), now=NOW).sid == HOLDER.session_id
    assert verifier.verify(OPERATORS_TOKEN, now=NOW).sid is None


@pytest.mark.parametrize(("own", "operators"), [(OWN, None), (None, OPERATORS)], ids=["no jwks", "no own keys"])
def test_one_of_both_secrets_is_enough(own: str | None, operators: str | None) -> None:
    verifier = StoredTexts(own, operators).verifier()

    assert is_refused(verifier, own_token()) == (own is None)
    assert is_refused(verifier, OPERATORS_TOKEN) == (operators is None)


@pytest.mark.parametrize("text", [None, ""], ids=["no value", "empty"])
def test_no_key_at_all_is_no_401(text: str | None) -> None:
    with pytest.raises(UnavailableError, match="No key verifies access tokens yet"):
        StoredTexts(text, text).verifier().verify(own_token(), now=NOW)


def test_own_tokens_read_no_secret_of_the_operator() -> None:
    secrets = StoredTexts(OWN, OPERATORS)
    verifier = secrets.verifier()

    for _ in range(3):
        verifier.verify(own_token(), now=NOW)

    assert secrets.reads == {"own": 1}


def test_first_key_of_a_deploy_verifies_after_the_pause() -> None:
    secrets = StoredTexts(None, OPERATORS)
    verifier = secrets.verifier()
    assert is_refused(verifier, own_token())

    secrets.texts["own"] = OWN
    secrets.seconds += UNKNOWN_KEY_PAUSE_SECONDS + 1

    assert not is_refused(verifier, own_token())


def test_unknown_keys_cause_one_read_in_30_seconds() -> None:
    secrets = StoredTexts(OWN, OPERATORS)
    verifier = secrets.verifier()

    for second in range(120):
        secrets.seconds = float(second)
        assert all(is_refused(verifier, text) for text in UNKNOWN)

    assert secrets.reads == {"own": 120 // (UNKNOWN_KEY_PAUSE_SECONDS + 1) + 1, "operators": 1}


def test_unchanged_keys_keep_their_verified_tokens() -> None:
    secrets = StoredTexts(OWN, OPERATORS)
    verifier = secrets.verifier()
    claims = verifier.verify(own_token_once := own_token(), now=NOW)

    secrets.seconds += TOKEN_KEYS_CACHE_SECONDS + 1

    assert verifier.verify(own_token_once, now=NOW) is claims
    assert secrets.reads["own"] == 2


def test_withdrawn_key_verifies_for_five_minutes_at_most() -> None:
    secrets = StoredTexts(OWN, OPERATORS)
    verifier, text = secrets.verifier(), own_token()
    assert not is_refused(verifier, text)

    left = withdraw_key(KEYS, SIGNING.current.kid, now=NOW, generate=generate_token_key)
    secrets.texts["own"] = msgspec.json.encode(left.verifying).decode()
    secrets.seconds += TOKEN_KEYS_CACHE_SECONDS + 1

    assert is_refused(verifier, text)
    assert not is_refused(verifier, own_token(1))


def test_faulty_set_of_the_operator_stops_no_own_token() -> None:
    verifier = StoredTexts(OWN, '{"keys":[]}').verifier()

    assert not is_refused(verifier, own_token())
    with pytest.raises(KeySetError, match="it has 0 keys"):
        verifier.verify(OPERATORS_TOKEN, now=NOW)
    assert len(verifier.list_keys()) == 2


def as_operators_key(kid: str) -> str:
    return json.dumps({"keys": [NEW_JWK, {**OLD_JWK, "kid": kid}]})


def test_own_id_in_the_set_of_the_operator_is_refused() -> None:
    shared = SIGNING.next.kid
    verifier = StoredTexts(OWN, as_operators_key(shared)).verifier()

    assert not is_refused(verifier, own_token(1))
    forged = token({**HEADER, "kid": shared}, CLAIMS)
    for text in (OPERATORS_TOKEN, UNKNOWN[0], forged):
        with pytest.raises(KeySetError, match=f"key '{shared}' is or was a key of the platform itself"):
            verifier.verify(text, now=NOW)


@pytest.mark.parametrize(
    "error", [AwsCallError("AccessDeniedException", ""), UnavailableError()], ids=["denied", "down"]
)
def test_unreadable_set_of_the_operator_hides_no_401(error: Exception) -> None:
    def unreadable(_: float) -> str | None:
        raise error

    verifier = TokenVerifier(lambda _: OWN, unreadable, issuer=ISSUER)

    assert not is_refused(verifier, own_token())
    with pytest.raises(UnauthenticatedError):
        verifier.verify(own_token(), now=NOW + timedelta(minutes=16))
    with pytest.raises(type(error)):
        verifier.verify(UNKNOWN[0], now=NOW)


def test_copied_key_cannot_outlive_its_withdrawal() -> None:
    """The key set that the API serves has the platform's keys, and an operator may copy it."""
    stolen = SIGNING.current
    left = withdraw_key(KEYS, stolen.kid, now=NOW, generate=generate_token_key)
    copied = json.dumps({"keys": [{**msgspec.to_builtins(stolen.public), "verifies_until": None}]})
    verifier = StoredTexts(msgspec.json.encode(left.verifying).decode(), copied).verifier()

    with pytest.raises(KeySetError, match="is or was a key of the platform"):
        verifier.verify(own_token(), now=NOW)


@pytest.mark.parametrize("text", ["x", "a.b.c", "e30.e30.e30", own_token() + "A", own_token()[:-8]])
def test_malformed_token_is_refused(text: str) -> None:
    assert is_refused(StoredTexts(OWN, OPERATORS).verifier(), text)


def test_expired_own_token_is_refused() -> None:
    verifier, text = StoredTexts(OWN, OPERATORS).verifier(), own_token()

    with pytest.raises(UnauthenticatedError):
        verifier.verify(text, now=NOW + timedelta(minutes=16))


def test_signer_uses_the_key_of_its_time() -> None:
    signer = TokenSigner(lambda: msgspec.json.encode(SIGNING).decode(), issuer=ISSUER)

    kids = [
        jwt.get_unverified_header(signer.sign(HOLDER, now=moment))["kid"]
        for moment in (NOW, SIGNING.next_signs_at - timedelta(seconds=1), SIGNING.next_signs_at)
    ]

    assert kids == [SIGNING.current.kid, SIGNING.current.kid, SIGNING.next.kid]


def test_all_keys_are_listed() -> None:
    kids = [key.key_id for key in StoredTexts(OWN, OPERATORS).verifier().list_keys()]

    assert kids == [SIGNING.current.kid, SIGNING.next.kid, "2026-10", "2026-11"]


def test_keys_without_any_are_an_empty_list() -> None:
    assert StoredTexts(None, None).verifier().list_keys() == []
