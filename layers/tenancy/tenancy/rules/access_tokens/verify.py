"""Verifies the access tokens of people (JSON Web Tokens) against a key set.

Each key allows one algorithm. The type of each claim is checked. The signature of a token is verified once per key set.
The times of a token are compared on each use. Sources: RFC 7515, RFC 7519, RFC 8725 (best current practices), RFC 9068
(access tokens).
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
from tenancy.rules.access_tokens.public_keys import parse_public_keys
from tenancy.rules.credentials import is_jwt
from tenancy.rules.durations import MAX_TOKEN_LIFE_SECONDS, TOKEN_LEEWAY_SECONDS

KEPT_TOKENS: Final = 1_000
HEADER_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
TOKEN_TYPES: Final = frozenset({"jwt", "at+jwt"})
LAST_TIMESTAMP: Final = 253_402_300_799 - TOKEN_LEEWAY_SECONDS  # the end of the year 9999, datetime's last

JWS: Final = jwt.PyJWS()

type Time = Annotated[int, msgspec.Meta(ge=0, le=LAST_TIMESTAMP)]


class TokenClaims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of an access token.

    Times are seconds since 1970. *epoch* has the revocation counts as `organization.user`. *aud* has one audience or a
    list of them (RFC 7519, 4.1.3). *sid* is the session of the token, None if it is no UUID.
    """

    sub: UUID
    user_id: UUID
    organization_id: UUID
    email: str
    role: str
    permissions: list[str]
    iss: str
    aud: str | list[str]
    iat: Time
    exp: Time
    jti: str
    token_use: str
    epoch: str
    nbf: Time = 0
    app_id: UUID | None = None
    sid: UUID | None = None

    @property
    def expires_at(self) -> datetime:
        """The time from which the token is refused, leeway included (UTC)."""
        return datetime.fromtimestamp(self.exp + TOKEN_LEEWAY_SECONDS, UTC)

    @property
    def starts_at(self) -> datetime:
        """The time before which the token is refused, leeway included (UTC)."""
        return datetime.fromtimestamp(max(self.nbf, self.iat, TOKEN_LEEWAY_SECONDS) - TOKEN_LEEWAY_SECONDS, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """Public keys by `kid`, with the issuer and audience of the tokens that they verify.

    The set caches verified tokens by their SHA-256. A new key set starts with an empty cache.
    """

    keys: Mapping[str, jwt.PyJWK]
    issuer: str
    audience: str
    _verified: dict[bytes, TokenClaims] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_jwks(cls, document: str, *, issuer: str, audience: str) -> "KeySet":
        """Parse a JSON Web Key Set (RFC 7517).

        Raises:
            KeySetError: a key must not verify tokens. The message names it.
        """
        return cls(keys=parse_public_keys(document), issuer=issuer, audience=audience)

    def verify(self, token: str, *, now: datetime) -> TokenClaims:
        """Return the claims of *token*.

        Raises:
            UnauthenticatedError: the token is malformed, unsigned, expired or not valid yet, or a claim is wrong.
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

    def has_key_of(self, token: str) -> bool:
        """Return whether *token* names a key of this set in its header.

        A malformed token names none.
        """
        if not is_jwt(token):
            return False
        try:
            kid = _decode_unique(token.partition(".")[0]).get("kid")
        except UnauthenticatedError:
            return False
        return isinstance(kid, str) and kid in self.keys

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
        if members.get("alg") != key.algorithm_name or not _is_access_token_type(members.get("typ", "JWT")):
            raise UnauthenticatedError
        try:
            JWS.decode(token, key=key, algorithms=[key.algorithm_name])
            claims = msgspec.convert(_without_foreign_session(_decode_unique(payload)), TokenClaims, strict=True)
        except (jwt.InvalidTokenError, msgspec.ValidationError, ValueError) as error:
            raise UnauthenticatedError from error
        if not self._accepts(claims):
            raise UnauthenticatedError
        return claims

    def _accepts(self, claims: TokenClaims) -> bool:
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        return (
            claims.iss == self.issuer
            and self.audience in audiences
            and claims.token_use == "access"  # noqa: S105 - a claim's value
            and claims.sub == claims.user_id
            and claims.exp - claims.iat <= MAX_TOKEN_LIFE_SECONDS
        )


def _without_foreign_session(claims: dict[str, Any]) -> dict[str, Any]:
    """Leave out a `sid` that is no UUID.

    Another issuer has sessions of its own, with any text as id.
    """
    try:
        msgspec.convert(claims.get("sid"), UUID | None, strict=True)
    except msgspec.ValidationError:
        return {name: claims[name] for name in claims if name != "sid"}
    return claims


def _is_access_token_type(typ: object) -> bool:
    """Whether *typ* names an access token.

    It is a media type: case does not matter, and `application/` may be left out (RFC 7515, 4.1.9; RFC 9068, 4).
    """
    return isinstance(typ, str) and typ.lower().removeprefix("application/") in TOKEN_TYPES


def _decode_unique(part: str) -> dict[str, Any]:
    """Decode a JSON object of a token.

    A duplicate member makes the token ambiguous and invalid. The text is UTF-8 without a byte order mark (RFC 7515, 2
    and 3): json would also take bytes in UTF-16 and UTF-32.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise UnauthenticatedError
        return dict(pairs)

    try:
        text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
        document = json.loads(text, object_pairs_hook=unique, parse_constant=float)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise UnauthenticatedError from error
    if not isinstance(document, dict):
        raise UnauthenticatedError
    return document
