"""Check the certificates of an erasure with the public key of the platform, and nothing else."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from scripts.tenantctl.errors import CommandError

ALGORITHM: Final = "ECDSA_SHA_256"
KIND: Final = "deletion_certificate"

type Check = dict[str, Any]


def check_certificates(file: bytes, key_file: bytes, *, organization_id: str | None) -> dict[str, Any]:
    """Check each certificate of *file*: signature, text, counts and organization.

    Raises:
        CommandError: *file* is no answer of the API, or *key_file* has no public key on P-256.
    """
    keys = read_public_keys(key_file)
    answer = _parse(file)
    first = answer.get("certificate")
    if not isinstance(first, dict) or not isinstance(answer.get("counted_again"), list):
        raise CommandError.usage("The file has no certificate. `tenantctl certificate show ORG --json` writes one.")
    wanted = organization_id or first.get("organization_id")
    shown = answer.get("algorithm")
    fault = "" if shown == ALGORITHM else f"expected {ALGORITHM}, the certificate names {shown}"
    checks = [_check("algorithm", fault, passed=ALGORITHM)]
    for number, each in enumerate([answer, *answer["counted_again"]]):
        name = "certificate" if number == 0 else f"later count {number}"
        checks += _checks_of(name, each if isinstance(each, dict) else {}, keys, wanted)
    return {
        "valid": all(check["passed"] for check in checks),
        "organization_id": first.get("organization_id"),
        "erased_at": first.get("erased_at"),
        "checks": checks,
    }


def read_public_keys(content: bytes) -> list[EllipticCurvePublicKey]:
    """Return the public keys of a file: PEM, DER, Base64 of DER, a JSON Web Key or a key set.

    Raises:
        CommandError: it has no key on P-256.
    """
    for read in (_from_pem, _from_der, _from_base64, _from_key_set):
        try:
            keys = read(content)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if keys and all(isinstance(key.curve, SECP256R1) for key in keys):
            return keys
    raise CommandError.usage("The file of the public key has no key of ECDSA on P-256.")


def _checks_of(name: str, signed: Mapping[str, Any], keys: list[EllipticCurvePublicKey], wanted: object) -> list[Check]:
    text, certificate = str(signed.get("text")), signed.get("certificate")
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    content = said if isinstance(said, dict) else {}
    shown_id = content.get("organization_id")
    return [
        _check(
            f"{name}: signature",
            "" if _is_signed(text, signed.get("signature"), keys) else "the public key did not sign `text`",
            passed="the public key signed `text`",
        ),
        _check(f"{name}: text", _text_fault(content, certificate), passed="`text` is the shown certificate"),
        _check(
            f"{name}: organization",
            "" if shown_id == wanted else f"expected {wanted}, the certificate is of {shown_id}",
            passed=f"{shown_id}",
        ),
        _check(f"{name}: counts", _counts_fault(content.get("counts")), passed="nothing is left"),
    ]


def _text_fault(content: Mapping[str, Any], certificate: object) -> str:
    """Say how the signed *content* differs from the shown *certificate*, or return an empty text."""
    if content.get("type") != KIND:
        return f"`text` is no {KIND}"
    return "" if content == certificate else "`text` differs from the shown certificate"


def _counts_fault(counts: object) -> str:
    """Name the tables of *counts* that are not zero, or return an empty text."""
    stores = counts if isinstance(counts, dict) else {}
    tables = {store: each for store, each in stores.items() if isinstance(each, dict)}
    rows = {f"{store}.{name}": count for store, each in tables.items() for name, count in each.items()}
    left = [f"{name}: {count}" for name, count in rows.items() if type(count) is not int or count != 0]
    if left:
        return f"rows are left: {', '.join(left)}"
    uncounted = [str(store) for store in stores if store not in tables]
    if uncounted or not rows:
        return f"rows were not counted: {', '.join(uncounted) or 'there are no counts'}"
    return ""


def _check(name: str, fault: str, *, passed: str) -> Check:
    return {"check": name, "passed": not fault, "detail": fault or passed}


def _is_signed(text: str, signature: object, keys: list[EllipticCurvePublicKey]) -> bool:
    try:
        decoded = base64.b64decode(str(signature), validate=True)
    except binascii.Error:
        return False
    return any(_verifies(key, decoded, text.encode()) for key in keys)


def _verifies(key: EllipticCurvePublicKey, signature: bytes, text: bytes) -> bool:
    try:
        key.verify(signature, text, ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _parse(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {}


def _from_pem(content: bytes) -> list[EllipticCurvePublicKey]:
    return _on_a_curve(load_pem_public_key(content))


def _from_der(content: bytes) -> list[EllipticCurvePublicKey]:
    return _on_a_curve(load_der_public_key(content))


def _from_base64(content: bytes) -> list[EllipticCurvePublicKey]:
    return _from_der(base64.b64decode(content.strip(), validate=True))


def _from_key_set(content: bytes) -> list[EllipticCurvePublicKey]:
    document = json.loads(content)
    return [_from_key(key) for key in document.get("keys", [document]) if key.get("crv") == "P-256"]


def _from_key(key: Mapping[str, str]) -> EllipticCurvePublicKey:
    x, y = (int.from_bytes(base64.urlsafe_b64decode(f"{key[name]}==")) for name in ("x", "y"))
    return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()


def _on_a_curve(key: object) -> list[EllipticCurvePublicKey]:
    return [key] if isinstance(key, EllipticCurvePublicKey) else []
