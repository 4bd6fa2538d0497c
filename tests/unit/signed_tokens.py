"""Valid and forged tokens, and the keys that sign them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tenancy.errors import ANY_CREDENTIAL_FAULT, UnauthenticatedError
from tenancy.rules.access_tokens.verify import KeySet

ISSUER = "https://api.attribution.example"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
USER = "0d000000-0000-4000-8000-00000000000d"
OLD, NEW = generate_rsa_key(65537, 2048), generate_ec_key(SECP256R1())
STRANGER = generate_ec_key(SECP256R1())
OLD_JWK = {**RSAAlgorithm.to_jwk(OLD.public_key(), as_dict=True), "kid": "2026-10", "alg": "RS256", "use": "sig"}
NEW_JWK = {**ECAlgorithm.to_jwk(NEW.public_key(), as_dict=True), "kid": "2026-11", "alg": "ES256", "use": "sig"}
KEY_SET = KeySet.from_jwks(json.dumps({"keys": [OLD_JWK, NEW_JWK]}), issuer=ISSUER, audience=ISSUER)
CLAIMS: dict[str, Any] = {
    "sub": USER,
    "user_id": USER,
    "organization_id": "0a000000-0000-4000-8000-00000000000a",
    "email": "admin@acme.example",
    "role": "analyst",
    "permissions": ["stats:read", "usage:read"],
    "iss": ISSUER,
    "aud": ISSUER,
    "iat": SECONDS - 10,
    "exp": SECONDS + 890,
    "jti": "0e000000-0000-4000-8000-00000000000e",
    "token_use": "access",
    "epoch": "0.0",
}

type Signer = Callable[[bytes], bytes]


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def sign_es256(message: bytes) -> bytes:
    return ECAlgorithm(ECAlgorithm.SHA256).sign(message, NEW)


def sign_rs256(message: bytes) -> bytes:
    return RSAAlgorithm(RSAAlgorithm.SHA256).sign(message, OLD)


def sign_as_a_stranger(message: bytes) -> bytes:
    return ECAlgorithm(ECAlgorithm.SHA256).sign(message, STRANGER)


def sign_with_the_public_key_as_a_secret(message: bytes) -> bytes:
    public = OLD.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hmac.digest(public, message, hashlib.sha256)


def token(
    header: bytes | Mapping[str, object], payload: bytes | Mapping[str, object], sign: Signer = sign_es256
) -> str:
    """Sign exactly these texts, also invalid ones that no library makes."""
    texts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    message = ".".join(encode(text) for text in texts)
    return f"{message}.{encode(sign(message.encode()))}"


HEADER = {"alg": "ES256", "kid": "2026-11", "typ": "JWT"}


def refused(text: str, *, key_set: KeySet = KEY_SET, now: datetime = NOW) -> bool:
    """Whether *text* is refused with the usual 401.

    Any other error fails the test.
    """
    try:
        key_set.verify(text, now=now)
    except UnauthenticatedError as refusal:
        return (refusal.status, refusal.detail) == (401, ANY_CREDENTIAL_FAULT)
    return False
