"""Parses the public keys that verify access tokens (JSON Web Key Set, RFC 7517).

A key is used as it was published: for one algorithm, for signatures, without its private half. Sources of the rules:
RFC 7518, 3.3, 3.4 and 6; CA/Browser Forum, Baseline Requirements, 6.1.1.3 and 6.1.6 (weak RSA keys); NIST SP 800-89,
5.3.3 (a modulus is composite, and no power of a prime).
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from math import gcd, isqrt
from typing import Any, Final

import jwt

PUBLIC_MEMBERS: Final[Sequence[str]] = ("kty", "crv", "x", "y", "n", "e")
PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
MIN_RSA_BITS: Final = 2_048
MAX_RSA_BITS: Final = 4_096  # the longest of AWS KMS; the check of a longer one takes seconds
MAX_KEYS: Final = 10  # in a set, so that the check of all moduli ends within the time-out of a function
MIN_RSA_EXPONENT: Final = 65_537
MAX_RSA_EXPONENT_BITS: Final = 64  # OpenSSL's limit for a long modulus
BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
SMALL_PRIMES: Final = tuple(n for n in range(2, 752) if all(n % divisor for divisor in range(2, isqrt(n) + 1)))
CLOSE_FACTORS_ROUNDS: Final = 100
# CVE-2017-15361: modulo each of these primes, the modulus is a power of the generator.
ROCA_PRIMES: Final = SMALL_PRIMES[1 : SMALL_PRIMES.index(167) + 1]
ROCA_GENERATOR: Final = 65_537


class KeySetError(ValueError):
    """The key set is empty, or has a key that must not verify tokens.

    The message names each such key by its `kid`.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        """Name all *faults*."""
        super().__init__(f"The key set is refused as a whole. Correct the secret jwks: {'; '.join(faults)}.")


def parse_public_keys(document: str) -> dict[str, jwt.PyJWK]:
    """Return the keys of a JSON Web Key Set by `kid`.

    One faulty key refuses the whole set (docs/decisions/0045-credential-look-ups.md).

    Raises:
        KeySetError: the document is no key set, has no key or more than `MAX_KEYS`, two keys have the same `kid`, or a
            key is not for verifying, weak or unknown.
    """
    entries = _parse_entries(document)
    counts = Counter(str(entry.get("kid")) for entry in entries)
    faults, keys = [], {}
    for number, entry in enumerate(entries, start=1):
        kid = entry.get("kid")
        fault = find_key_fault(entry)
        if not isinstance(kid, str) or not kid:
            faults.append(f"key {number} has no kid")
        elif counts[kid] > 1:
            faults.append(f"key {number} has the same kid as another one, {kid!a}")
        elif fault:
            faults.append(f"key {kid!a} {fault}")
        else:
            keys[kid] = jwt.PyJWK(dict(entry))
    if faults:
        raise KeySetError(faults)
    return keys


def public_jwk(key: jwt.PyJWK) -> dict[str, str]:
    """Return the public members of *key* as a JSON Web Key, and no others."""
    members: Mapping[str, Any] = key.Algorithm.to_jwk(key.key, as_dict=True)
    numbers = {name: str(members[name]) for name in PUBLIC_MEMBERS if name in members}
    return {"kid": str(key.key_id), "alg": key.algorithm_name, "use": "sig"} | numbers


def _parse_entries(document: str) -> list[dict[str, Any]]:
    try:
        entries = json.loads(document, object_pairs_hook=_require_unique)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeySetError(["it is not a JSON object with the member keys, or repeats a member"]) from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise KeySetError(["its member keys is not a list of objects"])
    if not 1 <= len(entries) <= MAX_KEYS:
        raise KeySetError([f"it has {len(entries)} keys. A set needs 1 to {MAX_KEYS}"])
    return entries


def _require_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("repeated member")
    return members


def find_key_fault(jwk: Mapping[str, Any]) -> str | None:
    """Return why *jwk* must not verify tokens, or None.

    The text repeats no value of a key, because it may be a private one.
    """
    if private := sorted(PRIVATE_MEMBERS.intersection(jwk)):
        return f"has private members ({', '.join(private)}). Publish the public half, and replace the key"
    if jwk.get("use", "sig") != "sig":
        return 'has a use other than "sig"'
    if jwk.get("key_ops", ["verify"]) != ["verify"]:
        return 'has key_ops other than ["verify"]'
    match jwk.get("alg"), jwk.get("kty"):
        case ("ES256", "EC"):
            return _find_curve_fault(jwk)
        case ("RS256", "RSA"):
            return _find_rsa_fault(jwk)
    return "is neither of alg ES256 and kty EC, nor of alg RS256 and kty RSA"


def _find_curve_fault(jwk: Mapping[str, Any]) -> str | None:
    if jwk.get("crv") != "P-256":
        return "is not on the curve of ES256, P-256"
    if _find_number(jwk.get("x")) is None or _find_number(jwk.get("y")) is None:
        return "has an x or y that is not base64url"
    try:
        jwt.PyJWK(dict(jwk))
    except jwt.PyJWTError:
        return "is no point of its curve"
    return None


def _find_rsa_fault(jwk: Mapping[str, Any]) -> str | None:
    modulus, exponent = _find_number(jwk.get("n")), _find_number(jwk.get("e"))
    if modulus is None or exponent is None:
        return "has an n or e that is not base64url"
    bits = modulus.bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        return f"has {bits} bits. An RSA key needs {MIN_RSA_BITS} to {MAX_RSA_BITS}"
    if exponent < MIN_RSA_EXPONENT or exponent % 2 == 0 or exponent.bit_length() > MAX_RSA_EXPONENT_BITS:
        return "has a public exponent that is even, below 65,537 or longer than 64 bits"
    return _find_modulus_fault(modulus)


def _find_modulus_fault(modulus: int) -> str | None:
    if any(modulus % prime == 0 for prime in SMALL_PRIMES):
        return "has a modulus with a small factor. Replace the key"
    if _has_close_factors(modulus):
        return "has a modulus whose factors are too close. Replace the key"
    if all(modulus % prime in _powers(prime) for prime in ROCA_PRIMES):
        return "was made by a chip with a weak generator (ROCA). Replace the key"
    if _is_prime_power(modulus):
        return "has a modulus that is a prime or a power of one. Replace the key"
    return None


def _has_close_factors(modulus: int) -> bool:
    """Whether Fermat's method finds a factor of *modulus* at once.

    Its factors are then nearly equal, or equal.
    """
    middle = isqrt(modulus - 1) + 1
    differences = (number * number - modulus for number in range(middle, middle + CLOSE_FACTORS_ROUNDS))
    return any(isqrt(difference) ** 2 == difference for difference in differences)


def _is_prime_power(modulus: int) -> bool:
    """Whether the odd *modulus* may be a prime or a power of one.

    A prime p that divides the modulus divides 2**(modulus - 1) - 1 as well, if p - 1 divides modulus - 1. It does for
    p**k. For the product of two random primes it does not. The cost is one exponentiation.
    """
    return gcd(pow(2, modulus - 1, modulus) - 1, modulus) != 1


def _powers(prime: int) -> set[int]:
    """Return the powers of ROCA's generator modulo *prime*."""
    powers = (pow(ROCA_GENERATOR, exponent, prime) for exponent in range(1, prime))
    return {1, *takewhile(lambda power: power != 1, powers)}


def _find_number(text: object) -> int | None:
    """Return the number that *text* encodes (Base64urlUInt of RFC 7518), or None."""
    if not isinstance(text, str) or BASE64URL.fullmatch(text) is None or len(text) % 4 == 1:
        return None
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
