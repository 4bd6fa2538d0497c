"""JSON Web Tokens of people: verified against a key set, algorithm pinned per key, every claim checked by type.

A token costs one verification in the life of its key set; its times are compared on every use.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import jwt
import msgspec

from tenancy.errors import UnauthenticatedError
from tenancy.rules.credentials import ALGORITHMS, is_jwt
from tenancy.rules.durations import TOKEN_LEEWAY_SECONDS

KEPT_TOKENS: Final = 1_000
HEADER_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
LAST_TIME: Final = 253_402_300_799 - TOKEN_LEEWAY_SECONDS  # the year 9999 ends: no later moment can be told

type Time = Annotated[int, msgspec.Meta(ge=0, le=LAST_TIME)]


class TokenClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What an access token must say; times are seconds since 1970, *epoch* is `organization.user` revocation counts."""

    sub: UUID
    user_id: UUID
    organization_id: UUID
    email: str
    role: str
    permissions: list[str]
    iss: str
    aud: str
    iat: Time
    exp: Time
    jti: str
    token_use: str
    epoch: str
    nbf: Time = 0
    app_id: UUID | None = None

    @property
    def expires_at(self) -> datetime:
        """From when on the token is refused, leeway included (UTC)."""
        return datetime.fromtimestamp(self.exp + TOKEN_LEEWAY_SECONDS, UTC)

    @property
    def starts_at(self) -> datetime:
        """Until when the token is refused, leeway included (UTC)."""
        return datetime.fromtimestamp(max(self.nbf, self.iat, TOKEN_LEEWAY_SECONDS) - TOKEN_LEEWAY_SECONDS, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The public keys by `kid`, and whose tokens they verify.

    Verified tokens are remembered by their SHA-256, so that a token is forgotten with the key set that verified it.
    """

    keys: Mapping[str, jwt.PyJWK]
    issuer: str
    audience: str
    _verified: dict[bytes, TokenClaims] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_jwks(cls, document: str, *, issuer: str, audience: str) -> "KeySet":
        """Return the keys of a JSON Web Key Set (RFC 7517). Each must carry `kid` and an allowed `alg`."""
        entries = msgspec.json.decode(document)["keys"]
        keys = {entry["kid"]: jwt.PyJWK(entry) for entry in entries}
        if len(keys) != len(entries):
            raise ValueError("Two keys have the same kid.")
        if any(key.algorithm_name not in ALGORITHMS for key in keys.values()):
            raise ValueError(f"A key's alg is not one of {sorted(ALGORITHMS)}.")
        return cls(keys=keys, issuer=issuer, audience=audience)

    def verify(self, token: str, *, now: datetime) -> TokenClaims:
        """Return the claims of *token*.

        Raises:
            UnauthenticatedError: anything at all is wrong with it.
        """
        if not is_jwt(token):
            raise UnauthenticatedError
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._verified.get(digest)
        if claims is None:
            claims = self._verified_claims(token)
            self._remember(digest, claims)
        if claims.expires_at <= now:
            del self._verified[digest]
            raise UnauthenticatedError
        if claims.starts_at > now:
            raise UnauthenticatedError
        return claims

    def _remember(self, digest: bytes, claims: TokenClaims) -> None:
        if len(self._verified) >= KEPT_TOKENS:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = claims

    def _verified_claims(self, token: str) -> TokenClaims:
        header, payload, _ = token.split(".")
        members = _decode_unique(header)
        kid = members.get("kid")
        if not HEADER_MEMBERS.issuperset(members) or not isinstance(kid, str) or kid not in self.keys:
            raise UnauthenticatedError
        key = self.keys[kid]
        if members.get("alg") != key.algorithm_name:
            raise UnauthenticatedError
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
        try:
            jwt.decode(token, key=key, algorithms=[key.algorithm_name], options=options)
            claims = msgspec.convert(_decode_unique(payload), TokenClaims, strict=True)
        except (jwt.InvalidTokenError, msgspec.ValidationError, ValueError) as error:
            raise UnauthenticatedError from error
        if (
            claims.iss != self.issuer
            or claims.aud != self.audience
            or claims.token_use != "access"  # noqa: S105 - a claim's value
            or claims.sub != claims.user_id
        ):
            raise UnauthenticatedError
        return claims


def _decode_unique(part: str) -> dict[str, Any]:
    """Decode one JSON object of a token; a member named twice makes the token ambiguous, hence invalid."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise UnauthenticatedError
        return dict(pairs)

    try:
        document = json.loads(
            base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), object_pairs_hook=unique, parse_constant=float
        )
    except (binascii.Error, ValueError, RecursionError) as error:
        raise UnauthenticatedError from error
    if not isinstance(document, dict):
        raise UnauthenticatedError
    return document
