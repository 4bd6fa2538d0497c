"""Which credential a request carries, and whether anything else in it names another organization.

The principal comes first (architecture, decision 1): header, host and body only confirm what the credential says.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tenancy.api_keys import ApiKey, KeyType, find_key
from tenancy.errors import ForbiddenError, TenantMismatchError, UnauthenticatedError
from tenancy.organization import RESERVED_SUBDOMAINS, is_subdomain
from tenancy.tenant import Caller, Operator

ORGANIZATION_HEADER: Final = "x-organization-id"
MAX_CREDENTIAL_CHARACTERS: Final = 8192


@dataclass(frozen=True, slots=True)
class Jwt:
    """A string that may be a JSON Web Token: not verified yet."""

    text: str

    def __repr__(self) -> str:
        """Show no token."""
        return "<Jwt>"


def parse_authorization(header: str) -> ApiKey | Jwt:
    """Return the credential in an `Authorization` header.

    Raises:
        UnauthenticatedError: the scheme is unknown, or the key's form or checksum is wrong.
    """
    scheme, _, rest = header.partition(" ")
    credential = rest.strip()
    if len(credential) > MAX_CREDENTIAL_CHARACTERS:
        raise UnauthenticatedError
    match scheme.lower():
        case "basic":
            key = find_basic_key(credential)
            if key is None or key.type is not KeyType.WRITE:
                raise UnauthenticatedError
            return key
        case "bearer":
            if credential[:3] in {f"{key_type}_" for key_type in KeyType}:
                return _key(credential)
            return Jwt(credential)
    raise UnauthenticatedError


def find_basic_key(credential: str) -> ApiKey | None:
    """Return the key that is the user name of Basic credentials (RFC 7617), as the Segment SDKs send it."""
    try:
        user_name = base64.b64decode(credential, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return find_key(user_name)


def confirm_tenant(caller: Caller, headers: Mapping[str, str], base_domain: str) -> None:
    """Let the request pass when no header or host names another organization than the caller's.

    *headers* have lower-case names. A host outside *base_domain* names nobody.

    Raises:
        TenantMismatchError: the header or the subdomain is another's, or unknown.
        ForbiddenError: a platform key together with `X-Organization-ID`.
    """
    named = headers.get(ORGANIZATION_HEADER)
    if isinstance(caller, Operator):
        if named is not None:
            raise ForbiddenError("A platform key names its organization in the path, not in a header.")
        return
    if named is not None and named.strip().lower() != str(caller.organization_id):
        raise TenantMismatchError("X-Organization-ID names another organization than the credential.")
    subdomain = find_subdomain(headers.get("host", ""), base_domain)
    if subdomain is not None and subdomain != caller.subdomain:
        raise TenantMismatchError("The host belongs to another organization than the credential.")


def find_subdomain(host: str, base_domain: str) -> str | None:
    """Return the organization's label of *host* (`acme.attribution.example:443`), None for any other host.

    Reserved labels (`api`, `www`) are the platform's own hosts.
    """
    name = host.strip().lower().partition(":")[0].rstrip(".")
    label = name.removesuffix(f".{base_domain}")
    return label if label != name and is_subdomain(label) and label not in RESERVED_SUBDOMAINS else None


def _key(text: str) -> ApiKey:
    key = find_key(text)
    if key is None:
        raise UnauthenticatedError
    return key
