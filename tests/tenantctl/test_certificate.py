"""Certificates are verified from files: signature, text, organization and counts."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from tests.tenantctl.documents import ACME_ID, TIME
from tests.tenantctl.processes import Done, Tenantctl

KEY = generate_private_key(SECP256R1())
OTHER_KEY = generate_private_key(SECP256R1())
FAILED_CHECK, USAGE = 1, 2


def signed(key: EllipticCurvePrivateKey = KEY, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    certificate = {
        "type": "deletion_certificate",
        "organization_id": ACME_ID,
        "erased_at": TIME,
        "counts": {"clickhouse": {"events": 0}, "postgres": {"users": 0}},
        **members,
    }
    text = json.dumps(certificate, sort_keys=True)
    signature = base64.b64encode(key.sign(text.encode(), ECDSA(hashes.SHA256()))).decode()
    return {"certificate": certificate, "text": text, "signature": signature}


def answer(first: dict[str, Any] | None = None, *later: dict[str, Any]) -> dict[str, Any]:
    rest = {"is_valid": True, "signing_key": "arn:aws:kms:key", "algorithm": "ECDSA_SHA_256"}
    return {**(first or signed()), "counted_again": list(later), **rest}


def as_pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def as_der(key: EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def as_base64(key: EllipticCurvePrivateKey) -> bytes:
    return base64.b64encode(as_der(key)) + b"\n"


def as_key(key: EllipticCurvePrivateKey) -> bytes:
    return ECAlgorithm.to_jwk(key.public_key()).encode()


def as_key_set(key: EllipticCurvePrivateKey) -> bytes:
    return json.dumps({"keys": [json.loads(as_key(OTHER_KEY)), json.loads(as_key(key))]}).encode()


def verify(folder: Path, document: object, key: bytes, *options: str) -> Done:
    (folder / "certificate.json").write_text(json.dumps(document))
    (folder / "key").write_bytes(key)
    return Tenantctl(folder).run("certificate", "verify", "certificate.json", "--public-key", "key", *options)


@pytest.mark.parametrize("form", [as_pem, as_der, as_base64, as_key, as_key_set])
def test_valid_certificate_passes(tmp_path: Path, form: Callable[[EllipticCurvePrivateKey], bytes]) -> None:
    done = verify(tmp_path, answer(None, signed()), form(KEY), "--org", ACME_ID, "--json")

    assert (done.code, done.document["valid"], done.document["organization_id"]) == (0, True, ACME_ID)
    assert len(done.document["checks"]) == 9


FORGED = {
    "another key": answer(signed(OTHER_KEY)),
    "changed text": {**answer(), "text": signed(organization_id=ACME_ID, erased_at="never")["text"]},
    "another certificate shown": {**answer(), "certificate": signed(erased_at="never")["certificate"]},
    "rows left": answer(signed(counts={"postgres": {"users": 1}})),
    "no counts": answer(signed(counts={})),
    "counts of another form": answer(signed(counts={"postgres": 0})),
    "another document": answer(signed(type="checkpoint")),
    "signature no Base64": {**answer(), "signature": "%"},
    "no signature": {**answer(), "signature": None},
    "another algorithm": {**answer(), "algorithm": "none"},
    "later count with another key": answer(None, signed(OTHER_KEY)),
    "later count of another organization": answer(None, signed(organization_id="globex")),
    "later count of another form": answer(None, []),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("forgery", FORGED)
def test_forged_certificate_fails(tmp_path: Path, forgery: str) -> None:
    done = verify(tmp_path, FORGED[forgery], as_pem(KEY), "--json")

    assert (done.code, done.document["valid"]) == (FAILED_CHECK, False)


def test_certificate_of_another_organization_fails(tmp_path: Path) -> None:
    done = verify(tmp_path, answer(), as_pem(KEY), "--org", "1c000000-0000-4000-8000-0000000000c2")

    expected = f"expected 1c000000-0000-4000-8000-0000000000c2, the certificate is of {ACME_ID}"
    assert (done.code, "FAILED" in done.out, expected in done.out) == (FAILED_CHECK, True, True)


FAULTS = {
    "another key": "the public key did not sign `text`",
    "another certificate shown": "`text` differs from the shown certificate",
    "rows left": "rows are left: postgres.users: 1",
    "no counts": "rows were not counted: there are no counts",
    "counts of another form": "rows were not counted: postgres",
    "another document": "`text` is no deletion_certificate",
    "another algorithm": "expected ECDSA_SHA_256, the certificate names none",
}


@pytest.mark.parametrize("forgery", FAULTS)
def test_failed_check_says_what_is_wrong(tmp_path: Path, forgery: str) -> None:
    done = verify(tmp_path, FORGED[forgery], as_pem(KEY), "--json")

    assert FAULTS[forgery] in [check["detail"] for check in done.document["checks"] if not check["passed"]]


def test_certificate_is_not_compared_with_a_subdomain(tmp_path: Path) -> None:
    done = verify(tmp_path, answer(), as_pem(KEY), "--org", "acme")

    assert (done.code, "Expected the id of an organization" in done.err) == (USAGE, True)


@pytest.mark.parametrize("key", [b"", b"no key", as_pem(generate_private_key(SECP384R1())), b"[]", b'{"keys": [7]}'])
def test_file_without_a_key_is_a_usage_error(tmp_path: Path, key: bytes) -> None:
    done = verify(tmp_path, answer(), key)

    assert (done.code, "no key of ECDSA on P-256" in done.err) == (USAGE, True)


@pytest.mark.parametrize("document", [[], {}, {"certificate": 7, "counted_again": []}, {"certificate": {}}])
def test_file_without_a_certificate_is_a_usage_error(tmp_path: Path, document: object) -> None:
    done = verify(tmp_path, document, as_pem(KEY))

    assert (done.code, "Traceback" in done.err) == (USAGE, False)


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    done = Tenantctl(tmp_path).run("certificate", "verify", "none.json", "--public-key", "none.pem")

    assert (done.code, "none.json cannot be read" in done.err) == (USAGE, True)
