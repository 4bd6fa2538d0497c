"""Verifies the ID token that completes a log-in.

Sources: OpenID Connect Core 1.0, 2 and 3.1.3.7; RFC 7515 and RFC 8725 (JSON Web Signatures, their best practice).
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import jwt

from tenancy.rules.durations import TOKEN_LEEWAY_SECONDS
from tenancy.rules.sso.discovery import ID_TOKEN_ALGORITHMS
from tenancy.rules.sso.json_objects import decode_base64url, encode_base64url, parse_object
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError

MAX_ID_TOKEN_BYTES: Final = 16 * 1024
SUBJECT_MAX_CHARACTERS: Final = 255
KEYS_IN_HEADER: Final = frozenset({"jwk", "jku", "x5u", "x5c"})  # a token must not bring or name its own key
ID_TOKEN_TYPE: Final = "jwt"  # noqa: S105 - of a token that is neither an access token nor a log-out token

ID_TOKEN_JWS: Final = jwt.PyJWS()

# Takes kid and algorithm, and returns the key, or None without one.
type FindKey = Callable[[str | None, str], jwt.PyJWK | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedToken:
    """The values that the token of one log-in must have. *access_token* is the one beside it, None without one."""

    issuer: str
    client_id: str
    nonce: str
    started_at: datetime
    access_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenIdentity:
    """The person that an ID token proves. *email* is None if the issuer does not vouch for the address.

    *email_fault* is then the reason. An issuer may name the address at its userinfo endpoint instead.
    """

    issuer: str
    subject: str
    email: str | None
    email_fault: SsoFault | None = None


def verify_id_token(token: str, find_key: FindKey, expected: ExpectedToken, *, now: datetime) -> ProvenIdentity:
    """Return the person that *token* proves.

    The header is read first. No member of the token's payload is read before the signature is verified.

    Raises:
        SsoRefusedError: the token is not the one that is *expected*, or not valid at *now*.
    """
    if len(token) > MAX_ID_TOKEN_BYTES:
        raise SsoRefusedError(SsoFault.TOKEN_TOO_LARGE)
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():  # noqa: PLR2004 - header, claims and signature
        raise SsoRefusedError(SsoFault.TOKEN_MALFORMED)
    key = _key_of(_parse(parts[0]), find_key)
    try:
        ID_TOKEN_JWS.decode(token, key=key, algorithms=[key.algorithm_name])
    except jwt.InvalidSignatureError as error:
        raise SsoRefusedError(SsoFault.SIGNATURE) from error
    except jwt.InvalidTokenError as error:
        raise SsoRefusedError(SsoFault.TOKEN_MALFORMED) from error
    claims = _parse(parts[1])
    _require_parties(claims, expected)
    _require_times(claims, expected, now=now)
    if not hmac.compare_digest(_text(claims, "nonce").encode(), expected.nonce.encode()):
        raise SsoRefusedError(SsoFault.NONCE)
    _require_access_token(claims, expected)
    return _identity(claims)


def with_userinfo(identity: ProvenIdentity, document: bytes) -> ProvenIdentity:
    """Return *identity* with the address of the userinfo *document* (OpenID Connect Core 1.0, 5.3.2).

    Raises:
        SsoRefusedError: the document is no JSON object, or describes another person.
    """
    try:
        claims = parse_object(document)
    except ValueError as error:
        raise SsoRefusedError(SsoFault.ANSWER_MALFORMED) from error
    if claims.get("sub") != identity.subject:
        raise SsoRefusedError(SsoFault.SUBJECT)
    return _with_email(identity.issuer, identity.subject, claims)


def _key_of(header: dict[str, Any], find_key: FindKey) -> jwt.PyJWK:
    """Return the key of the token with *header*. Its algorithm is that of the key, never that of the header alone."""
    algorithm, kid, token_type = header.get("alg"), header.get("kid"), header.get("typ", ID_TOKEN_TYPE)
    if "crit" in header:
        raise SsoRefusedError(SsoFault.CRITICAL_HEADER)
    if KEYS_IN_HEADER.intersection(header):
        raise SsoRefusedError(SsoFault.KEY_IN_HEADER)
    if not isinstance(token_type, str) or token_type.lower().removeprefix("application/") != ID_TOKEN_TYPE:
        raise SsoRefusedError(SsoFault.TOKEN_TYPE)
    if not isinstance(algorithm, str) or algorithm not in ID_TOKEN_ALGORITHMS:
        raise SsoRefusedError(SsoFault.ALGORITHM)
    if kid is not None and not isinstance(kid, str):
        raise SsoRefusedError(SsoFault.TOKEN_MALFORMED)
    key = find_key(kid, algorithm)
    if key is None:
        raise SsoRefusedError(SsoFault.KEY_UNKNOWN)
    return key


def _require_parties(claims: dict[str, Any], expected: ExpectedToken) -> None:
    if claims.get("iss") != expected.issuer:
        raise SsoRefusedError(SsoFault.ISSUER)
    audiences = claims.get("aud")
    audiences = [audiences] if isinstance(audiences, str) else audiences
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise SsoRefusedError(SsoFault.AUDIENCE)
    # A token for several parties says which one it was issued to.
    if claims.get("azp", expected.client_id) != expected.client_id or (len(audiences) > 1 and "azp" not in claims):
        raise SsoRefusedError(SsoFault.AUTHORIZED_PARTY)


def _require_times(claims: dict[str, Any], expected: ExpectedToken, *, now: datetime) -> None:
    seconds = now.timestamp()
    expires_at, issued_at, not_before = _time(claims, "exp"), _time(claims, "iat"), claims.get("nbf", 0)
    if type(not_before) is not int:
        raise SsoRefusedError(SsoFault.TOKEN_MALFORMED)
    if expires_at + TOKEN_LEEWAY_SECONDS <= seconds:
        raise SsoRefusedError(SsoFault.EXPIRED)
    if max(issued_at, not_before) - TOKEN_LEEWAY_SECONDS > seconds:
        raise SsoRefusedError(SsoFault.NOT_YET_VALID)
    if issued_at + TOKEN_LEEWAY_SECONDS < expected.started_at.timestamp():
        raise SsoRefusedError(SsoFault.ISSUED_BEFORE)


def _require_access_token(claims: dict[str, Any], expected: ExpectedToken) -> None:
    """Compare the access token with its hash, if the token has one. Both allowed algorithms use SHA-256."""
    if "at_hash" not in claims:
        return
    digest = hashlib.sha256((expected.access_token or "").encode()).digest()
    half = encode_base64url(digest[: len(digest) // 2])
    if expected.access_token is None or not hmac.compare_digest(_text(claims, "at_hash").encode(), half.encode()):
        raise SsoRefusedError(SsoFault.ACCESS_TOKEN_HASH)


def _identity(claims: dict[str, Any]) -> ProvenIdentity:
    subject, issuer = claims.get("sub"), _text(claims, "iss")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MAX_CHARACTERS or not _is_plain(subject):
        raise SsoRefusedError(SsoFault.SUBJECT)
    return _with_email(issuer, subject, claims)


def _with_email(issuer: str, subject: str, claims: dict[str, Any]) -> ProvenIdentity:
    email = claims.get("email")
    if not isinstance(email, str) or not email:
        return ProvenIdentity(issuer=issuer, subject=subject, email=None, email_fault=SsoFault.EMAIL_MISSING)
    if claims.get("email_verified") is not True:
        return ProvenIdentity(issuer=issuer, subject=subject, email=None, email_fault=SsoFault.EMAIL_UNVERIFIED)
    return ProvenIdentity(issuer=issuer, subject=subject, email=email)


def _is_plain(subject: str) -> bool:
    return subject.isascii() and subject.isprintable()


def _parse(part: str) -> dict[str, Any]:
    try:
        return parse_object(decode_base64url(part))
    except ValueError as error:
        raise SsoRefusedError(SsoFault.TOKEN_MALFORMED) from error


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _time(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int:
        raise SsoRefusedError(SsoFault.TOKEN_MALFORMED)
    return value
