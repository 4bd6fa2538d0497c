"""Verify access tokens with the keys of the platform and with those of the operator."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

import jwt
import msgspec

from tenancy.errors import AwsCallError, UnauthenticatedError, UnavailableError
from tenancy.rules.access_tokens.public_keys import KeySetError, parse_public_keys
from tenancy.rules.access_tokens.token_keys import NOTHING_PUBLISHED, VerifyingKeys
from tenancy.rules.access_tokens.verify import KeySet, TokenClaims
from tenancy.rules.durations import TOKEN_KEYS_CACHE_SECONDS, UNKNOWN_KEY_PAUSE_SECONDS

NO_KEYS: Final = "null"

type ReadSecret = Callable[[float], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformKeys:
    """The platform's own public keys, the ids of withdrawn ones, and the set that verifies."""

    published: VerifyingKeys
    key_set: KeySet

    @property
    def reserved(self) -> AbstractSet[str]:
        """The ids that no key of the operator may have."""
        return self.key_set.keys.keys() | frozenset(self.published.withdrawn)


class TokenVerifier:
    """Verifies a token with the one set that has its key.

    *read_own* and *read_operators* return the text of a secret that is at most so many seconds old, or None if the
    secret has no value. A set is parsed when its text has changed. So it keeps its cache of verified tokens.
    """

    def __init__(self, read_own: ReadSecret, read_operators: ReadSecret, *, issuer: str) -> None:
        """Read no secret yet. *issuer* is also the audience."""
        self._read_own = read_own
        self._read_operators = read_operators
        self._parse_own = lru_cache(maxsize=1)(lambda text: _parse_own(text, issuer))
        self._parse_operators = lru_cache(maxsize=1)(lambda text: _parse_operators(text, issuer))

    def verify(self, token: str, *, now: datetime) -> TokenClaims:
        """Return the claims of *token*.

        If no set has its key, the platform's keys are read again, at most once in `UNKNOWN_KEY_PAUSE_SECONDS`: a new
        key signs at once after a withdrawal.

        Raises:
            UnauthenticatedError: the token is malformed, unsigned, expired or not valid yet, or a claim is wrong.
            KeySetError: the operator's set is needed and faulty.
            UnavailableError: a secret could not be read, or no key exists yet.
        """
        own = self.own_keys()
        if own.key_set.has_key_of(token):
            return self._verify_with(own, token, now)
        operators = self.operators_keys(own)
        if operators.has_key_of(token):
            return operators.verify(token, now=now)
        newest = self.own_keys(max_age_seconds=UNKNOWN_KEY_PAUSE_SECONDS).key_set
        if not (newest.keys or operators.keys):
            raise UnavailableError("No key verifies access tokens yet.")
        return newest.verify(token, now=now)

    def own_keys(self, *, max_age_seconds: float = TOKEN_KEYS_CACHE_SECONDS) -> PlatformKeys:
        """Return the platform's own keys.

        Raises:
            UnavailableError: the secret could not be read.
        """
        return self._parse_own(self._read_own(max_age_seconds) or NO_KEYS)

    def operators_keys(self, own: PlatformKeys) -> KeySet:
        """Return the operator's keys, none of which may have the id of a key of *own*.

        Raises:
            KeySetError: a key must not verify tokens. The message names it.
            UnavailableError: the secret could not be read.
        """
        outcome = self._parse_operators(self._read_operators(TOKEN_KEYS_CACHE_SECONDS))
        if isinstance(outcome, KeySetError):
            raise outcome.with_traceback(None)  # else it grows by each token
        if shared := sorted(own.reserved & outcome.keys.keys()):
            raise KeySetError([f"key {kid!a} is or was a key of the platform itself" for kid in shared])
        return outcome

    def list_keys(self) -> list[jwt.PyJWK]:
        """Return all keys that verify tokens. A faulty set of the operator verifies none.

        Raises:
            UnavailableError: a secret could not be read.
        """
        own = self.own_keys()
        try:
            operators = self.operators_keys(own)
        except KeySetError:
            return list(own.key_set.keys.values())
        return [*own.key_set.keys.values(), *operators.keys.values()]

    def _verify_with(self, own: PlatformKeys, token: str, now: datetime) -> TokenClaims:
        """Verify with the platform's key.

        A refused token may be a token of the operator, whose key has the same id.

        Raises:
            KeySetError: the operator's set has a key with this id.
            UnauthenticatedError: as for `verify`, also if the secret of the operator could not be read.
        """
        try:
            return own.key_set.verify(token, now=now)
        except UnauthenticatedError:
            with suppress(UnavailableError, AwsCallError):
                operators = self._parse_operators(self._read_operators(TOKEN_KEYS_CACHE_SECONDS))
                if isinstance(operators, KeySet) and operators.has_key_of(token):
                    self.operators_keys(own)
            raise


def _parse_own(text: str, issuer: str) -> PlatformKeys:
    published = msgspec.json.decode(text, type=VerifyingKeys | None) or NOTHING_PUBLISHED
    keys = {key.kid: jwt.PyJWK(msgspec.to_builtins(key)) for key in published.keys}
    return PlatformKeys(published=published, key_set=KeySet(keys=keys, issuer=issuer, audience=issuer))


def _parse_operators(text: str | None, issuer: str) -> KeySet | KeySetError:
    """Return the operator's keys, or the error.

    The caller caches the error, too, because the check is slow.
    """
    if not text:
        return KeySet(keys={}, issuer=issuer, audience=issuer)
    try:
        return KeySet(keys=parse_public_keys(text), issuer=issuer, audience=issuer)
    except KeySetError as error:
        return error
