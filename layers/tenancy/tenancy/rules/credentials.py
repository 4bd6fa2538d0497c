"""Parse the credential of a request.

The credential alone determines the caller (docs/decisions/0001-principal-first.md).
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from tenancy.errors import CredentialFault, UnauthenticatedError
from tenancy.rules.keys.api_keys import ApiKey, KeyType, find_key

MAX_CREDENTIAL_CHARACTERS: Final = 8192
ALGORITHMS: Final = frozenset({"ES256", "RS256"})
# The look-behind keeps the search linear. A part of a key, or a key with typing errors, is found as well.
SECRET: Final = re.compile(
    r"(?:pk|sk|wk|rt|ot|ss|sf|sc)_[0-9A-Za-z]{16,}|(?<![\w-])(?=[\w-]*eyJ)[\w-]++\.[\w-]+\.[\w-]*",
    re.ASCII | re.IGNORECASE,
)
REDACTED: Final = "…"
JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Jwt:
    """A string in the form of a JSON Web Token, not verified yet."""

    text: str

    def __repr__(self) -> str:
        """Show the type, not the token."""
        return "<Jwt>"


def parse_authorization(values: tuple[str, ...]) -> ApiKey | Jwt:
    """Return the credential in the *values* of a request's `Authorization` headers.

    Raises:
        UnauthenticatedError: there is not exactly one value, the scheme is unknown, the token or key is malformed, or
            the checksum of the key is wrong. Several credentials joined by commas are malformed. Its `fault` is the
            class.
    """
    if len(values) > 1:
        raise UnauthenticatedError(fault=CredentialFault.SEVERAL)
    if not values or not values[0].strip():
        raise UnauthenticatedError(fault=CredentialFault.NONE)
    scheme, _, rest = values[0].partition(" ")
    credential = rest.strip()
    if len(credential) > MAX_CREDENTIAL_CHARACTERS:
        raise UnauthenticatedError(fault=CredentialFault.MALFORMED)
    match scheme.lower():
        case "basic":
            return _basic_key(credential)
        case "bearer" if credential[:3] in {f"{key_type}_" for key_type in KeyType}:
            return _key(credential)
        case "bearer" if is_jwt(credential):
            return Jwt(credential)
        case "bearer":
            raise UnauthenticatedError(fault=CredentialFault.MALFORMED)
    raise UnauthenticatedError(fault=CredentialFault.SCHEME)


def find_basic_key(credential: str) -> ApiKey | None:
    """Return the key in the user name of Basic credentials (RFC 7617), as Segment SDKs send it."""
    try:
        user_name = base64.b64decode(credential, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return find_key(user_name)


def redact_path(path: str) -> str:
    """Return *path* with `…` in place of each text in it that looks like a key or a token.

    A path with such a text is returned without percent-encoding.
    """
    readable = unquote(path)
    redacted = redact_text(readable)
    return path if redacted == readable else redacted


def redact_text(text: str) -> str:
    """Return *text* with `…` in place of each part that looks like a key or a token."""
    return SECRET.sub(REDACTED, text)


def is_jwt(text: str) -> bool:
    """Whether *text* has the form of a signed token.

    The form is three base64url parts of at most 8 KB together, with a header that names a key and an algorithm.
    """
    if len(text) > MAX_CREDENTIAL_CHARACTERS or JWT.fullmatch(text) is None:
        return False
    header = text.partition(".")[0]
    try:
        members = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)).decode())
    except (binascii.Error, ValueError, RecursionError):
        return False
    if not isinstance(members, dict):
        return False
    kid, algorithm = members.get("kid"), members.get("alg")
    return isinstance(kid, str) and isinstance(algorithm, str) and algorithm in ALGORITHMS


def _basic_key(credential: str) -> ApiKey:
    key = find_basic_key(credential)
    if key is None:
        raise UnauthenticatedError(fault=CredentialFault.MALFORMED)
    if key.type is not KeyType.WRITE:
        raise UnauthenticatedError(fault=CredentialFault.OTHER_KIND)
    return key


def _key(text: str) -> ApiKey:
    key = find_key(text)
    if key is None:
        raise UnauthenticatedError(fault=CredentialFault.MALFORMED)
    return key
