"""The keys that sign access tokens: their rotation and their withdrawal.

The private keys are the current one and the next one. All keys that verify tokens are public: these two, and earlier
ones whose last token may still live. The next key signs after a period, at a time that each process knows by itself.
Sources: RFC 7517 and RFC 7518, 6.2 (JSON Web Keys), RFC 7638 (their thumbprints), FIPS 186-5 (P-256).

A wrong clock of one run must not stop the rotation for good. So no stored time stays in the future.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key

from tenancy.rules.durations import TOKEN_KEY_PERIOD, TOKEN_KEY_PUBLICATION_TIME, TOKEN_KEY_REMOVAL_DELAY

COORDINATE_BYTES: Final = 32
MAX_PUBLIC_KEYS: Final = 20
MAX_WITHDRAWN: Final = 100  # ids of withdrawn keys that are kept


class TokenKeysError(Exception):
    """The keys of access tokens cannot be changed so. Nothing was changed."""


class _Point(msgspec.Struct, frozen=True, kw_only=True):
    """A point of P-256, which verifies signatures of ES256."""

    kid: str
    x: str
    y: str
    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"
    alg: Literal["ES256"] = "ES256"
    use: Literal["sig"] = "sig"


class PublicTokenKey(_Point, frozen=True, kw_only=True):
    """A public key as a JSON Web Key. It verifies until a time if it no longer signs."""

    verifies_until: datetime | None = None


class PrivateTokenKey(_Point, frozen=True, kw_only=True):
    """A private key as a JSON Web Key."""

    d: str

    def __repr__(self) -> str:
        """Show the id alone, because the text may be logged."""
        return f"PrivateTokenKey(kid={self.kid!r})"

    @property
    def public(self) -> PublicTokenKey:
        """The public half."""
        return PublicTokenKey(kid=self.kid, x=self.x, y=self.y)


class SigningKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The private keys: the *current* one, which signs since a time, and the *next* one."""

    current: PrivateTokenKey
    current_since: datetime
    next: PrivateTokenKey
    next_published_at: datetime

    @property
    def next_signs_at(self) -> datetime:
        """The time at which the next key takes over."""
        return max(self.current_since + TOKEN_KEY_PERIOD, self.next_published_at + TOKEN_KEY_PUBLICATION_TIME)

    def key_at(self, now: datetime) -> PrivateTokenKey:
        """Return the key that signs at *now*.

        It does not depend on the run that rotates: the change happens in all processes at the same time.
        """
        return self.next if self.next_signs_at <= now else self.current


class VerifyingKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The public keys that verify tokens, and the ids of withdrawn keys.

    A withdrawn key never verifies again.
    """

    keys: tuple[PublicTokenKey, ...]
    withdrawn: tuple[str, ...] = ()


NOTHING_PUBLISHED: Final = VerifyingKeys(keys=())


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKeys:
    """Both halves as they are stored. *signing* is None before the first run."""

    signing: SigningKeys | None = None
    verifying: VerifyingKeys = NOTHING_PUBLISHED


def generate_token_key() -> PrivateTokenKey:
    """Return a new key. Its id is its thumbprint (RFC 7638), so no other key has the same."""
    numbers = generate_ec_key(SECP256R1()).private_numbers()
    x, y, d = map(_encode, (numbers.public_numbers.x, numbers.public_numbers.y, numbers.private_value))
    members = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    kid = base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()
    return PrivateTokenKey(kid=kid, x=x, y=y, d=d)


def rotate_keys(keys: TokenKeys, *, now: datetime, generate: Callable[[], PrivateTokenKey]) -> TokenKeys:
    """Return the keys that should be stored at *now*, the same ones if nothing is due.

    The very first key signs at once. *generate* returns a new key.

    Raises:
        TokenKeysError: more than `MAX_PUBLIC_KEYS` would be public.
    """
    signing = _rotate_signing(keys.signing, frozenset(keys.verifying.withdrawn), now, generate)
    return TokenKeys(signing=signing, verifying=_publish(keys, signing, now))


def withdraw_key(keys: TokenKeys, kid: str, *, now: datetime, generate: Callable[[], PrivateTokenKey]) -> TokenKeys:
    """Return the keys without the key *kid*, which is not trusted any more.

    The key may have been withdrawn before. If it was the current key, the next key signs at once.

    Raises:
        TokenKeysError: no key has this id.
    """
    verifying = keys.verifying
    known = [key.kid for key in _all_public(keys)]
    if kid not in {*known, *verifying.withdrawn}:
        raise TokenKeysError(f"No key has the id {kid!a}. The ids are {', '.join(known) or 'none'}.")
    withdrawn = (*(each for each in verifying.withdrawn if each != kid), kid)[-MAX_WITHDRAWN:]
    without = VerifyingKeys(keys=verifying.keys, withdrawn=withdrawn)
    return rotate_keys(TokenKeys(signing=keys.signing, verifying=without), now=now, generate=generate)


def _rotate_signing(
    signing: SigningKeys | None, withdrawn: frozenset[str], now: datetime, generate: Callable[[], PrivateTokenKey]
) -> SigningKeys:
    if signing is None:
        return SigningKeys(current=generate(), current_since=now, next=generate(), next_published_at=now)
    if signing.next.kid in withdrawn:
        signing = msgspec.structs.replace(signing, next=generate(), next_published_at=now)
    signing = msgspec.structs.replace(
        signing,
        current_since=min(signing.current_since, now),
        next_published_at=min(signing.next_published_at, now),
    )
    is_withdrawn = signing.current.kid in withdrawn
    if not is_withdrawn and now < signing.next_signs_at:
        return signing
    since = now if is_withdrawn else signing.next_signs_at
    return SigningKeys(current=signing.next, current_since=since, next=generate(), next_published_at=now)


def _publish(keys: TokenKeys, signing: SigningKeys, now: datetime) -> VerifyingKeys:
    """Return the public keys beside *signing*, which replaces the private ones of *keys*.

    A key that this run takes out of use verifies for as long as its last token may live. So does a public key without a
    private one: a run that died, or one beside this run, has published it and may have stored it since.
    """
    used = (signing.current, signing.next)
    ended = {*(key.kid for key in used), *keys.verifying.withdrawn}
    before = frozenset(() if keys.signing is None else (keys.signing.current.kid, keys.signing.next.kid))
    latest = now + TOKEN_KEY_REMOVAL_DELAY
    earlier = []
    for key in _all_public(keys):
        until = latest if key.kid in before else min(key.verifies_until or latest, latest)
        if key.kid not in ended and until > now:
            earlier.append(msgspec.structs.replace(key, verifies_until=until))
    public = (*(key.public for key in used), *earlier)
    if len(public) > MAX_PUBLIC_KEYS:
        raise TokenKeysError(f"{len(public)} keys would be public, more than {MAX_PUBLIC_KEYS}. Try again in an hour.")
    return VerifyingKeys(keys=public, withdrawn=keys.verifying.withdrawn)


def _all_public(keys: TokenKeys) -> list[PublicTokenKey]:
    """Return the public keys, and the public halves of private keys that are not among them."""
    known = {key.kid: key for key in keys.verifying.keys}
    private = () if keys.signing is None else (keys.signing.current, keys.signing.next)
    return list((known | {key.kid: key.public for key in private if key.kid not in known}).values())


def _encode(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(COORDINATE_BYTES)).rstrip(b"=").decode()
