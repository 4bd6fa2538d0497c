"""The keys with which a provider signs ID tokens (JSON Web Key Set, RFC 7517).

A provider publishes keys for other uses and algorithms, too. These are left out. A set that shows a private key is
refused as a whole: its owner does not protect its keys.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import jwt

from tenancy.rules.access_tokens.public_keys import PRIVATE_MEMBERS, find_key_fault
from tenancy.rules.sso.json_objects import parse_object
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError

MAX_KEY_SET_BYTES: Final = 256 * 1024
MAX_PROVIDER_KEYS: Final = 100
ALGORITHM_OF: Final[Mapping[object, str]] = MappingProxyType({"RSA": "RS256", "EC": "ES256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKeys:
    """The usable keys of a provider, as it published them. A key is checked when a token names it."""

    entries: Sequence[Mapping[str, Any]]

    def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key for a token with *kid* and *algorithm*, or None.

        A token without a kid means the only key of its algorithm (OpenID Connect Core 1.0, 10.1).

        Raises:
            SsoRefusedError: the key must not verify tokens.
        """
        found = [each for each in self.entries if each["alg"] == algorithm and kid in (None, each.get("kid"))]
        if len(found) != 1:
            return None
        if find_key_fault(found[0]) is not None:
            raise SsoRefusedError(SsoFault.KEYS_INVALID)
        return jwt.PyJWK(dict(found[0]))


def parse_provider_keys(document: bytes) -> ProviderKeys:
    """Return the usable keys of the key set *document*.

    Raises:
        SsoRefusedError: it is no key set, has too many keys, two with one kid, or a private one.
    """
    try:
        entries = parse_object(document)["keys"]
    except (ValueError, KeyError) as error:
        raise SsoRefusedError(SsoFault.KEYS_INVALID) from error
    if not isinstance(entries, list) or len(entries) > MAX_PROVIDER_KEYS:
        raise SsoRefusedError(SsoFault.KEYS_INVALID)
    if any(not isinstance(each, dict) or PRIVATE_MEMBERS.intersection(each) for each in entries):
        raise SsoRefusedError(SsoFault.KEYS_INVALID)
    usable = [_with_algorithm(each) for each in entries if _is_usable(each)]
    if any(number > 1 for number in Counter(str(each.get("kid")) for each in usable if "kid" in each).values()):
        raise SsoRefusedError(SsoFault.KEYS_INVALID)
    return ProviderKeys(entries=usable)


def _is_usable(entry: Mapping[str, Any]) -> bool:
    """Tell whether *entry* is for signatures with an allowed algorithm. Providers may leave out use and alg."""
    kty = entry.get("kty")
    algorithm = ALGORITHM_OF.get(kty) if isinstance(kty, str) else None
    is_curve = kty != "EC" or entry.get("crv") == "P-256"
    return (
        algorithm is not None
        and is_curve
        and entry.get("alg", algorithm) == algorithm
        and entry.get("use", "sig") == "sig"
    )


def _with_algorithm(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the members of *entry* that verify, with the one algorithm that its type is used with."""
    names = ("kty", "kid", "use", "key_ops", "crv", "x", "y", "n", "e")
    return {name: entry[name] for name in names if name in entry} | {"alg": ALGORITHM_OF[entry["kty"]]}
