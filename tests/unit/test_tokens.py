"""A person's token is good, or it is refused in one way only, whatever is wrong with it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tenancy.errors import UnauthenticatedError
from tenancy.tokens import MAX_TOKEN_CHARACTERS, KeySet

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
    """Sign exactly these texts, also those that no library would make."""
    texts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    message = ".".join(encode(text) for text in texts)
    return f"{message}.{encode(sign(message.encode()))}"


HEADER = {"alg": "ES256", "kid": "2026-11", "typ": "JWT"}


def refused(text: str, *, key_set: KeySet = KEY_SET, now: datetime = NOW) -> bool:
    """Say whether *text* is refused as it must be; any other error fails the test."""
    try:
        key_set.verify(text, now=now)
    except UnauthenticatedError as refusal:
        return (refusal.status, refusal.detail) == (401, "Unauthorized")
    return False


def test_a_good_token_says_who_acts_for_which_organization() -> None:
    claims = KEY_SET.verify(token(HEADER, CLAIMS), now=NOW)
    assert claims.user_id == claims.sub == UUID(USER)
    assert claims.organization_id == UUID("0a000000-0000-4000-8000-00000000000a")
    assert (claims.email, claims.role, claims.permissions) == (
        "admin@acme.example",
        "analyst",
        ["stats:read", "usage:read"],
    )
    assert (claims.epoch, claims.app_id) == ("0.0", None)
    assert claims.expires_at == datetime.fromtimestamp(CLAIMS["exp"], UTC)


def test_two_live_keys_verify_so_that_keys_can_be_rotated() -> None:
    for text in (
        jwt.encode(CLAIMS, OLD, "RS256", headers={"kid": "2026-10"}),
        jwt.encode(CLAIMS, NEW, "ES256", headers={"kid": "2026-11"}),
    ):
        assert KEY_SET.verify(text, now=NOW).user_id == UUID(USER)


def test_a_key_that_left_the_set_verifies_nothing() -> None:
    rotated = KeySet.from_jwks(json.dumps({"keys": [NEW_JWK]}), issuer=ISSUER, audience=ISSUER)
    assert refused(token({**HEADER, "alg": "RS256", "kid": "2026-10"}, CLAIMS, sign_rs256), key_set=rotated)
    assert not refused(token(HEADER, CLAIMS), key_set=rotated)


@pytest.mark.parametrize(
    ("changes", "signer"),
    [
        ({"alg": "none"}, lambda _: b""),
        ({"alg": "none"}, sign_es256),
        ({"alg": "None"}, sign_es256),
        ({"alg": "NONE"}, lambda _: b"\0"),
        ({"alg": "HS256"}, sign_with_the_public_key_as_a_secret),
        ({"alg": "HS256", "kid": "2026-10"}, sign_with_the_public_key_as_a_secret),
        ({"alg": "RS256", "kid": "2026-10"}, sign_with_the_public_key_as_a_secret),
        ({"alg": "RS256"}, sign_rs256),
        ({"alg": "ES256", "kid": "2026-10"}, sign_es256),
        ({"alg": "PS256", "kid": "2026-10"}, sign_rs256),
        ({"alg": "ES384"}, sign_es256),
        ({"alg": "es256"}, sign_es256),
        ({"alg": ["ES256"]}, sign_es256),
        ({"alg": None}, sign_es256),
        ({}, sign_as_a_stranger),
        ({}, lambda _: b""),
        ({}, lambda _: b"\0" * 64),
        ({}, lambda message: sign_es256(message)[:-1]),
        ({}, lambda message: sign_es256(message) + b"\0"),
        ({}, lambda message: sign_es256(message + b".")),
        ({"kid": "2026-12"}, sign_es256),
        ({"kid": ""}, sign_es256),
        ({"kid": "../../dev/null"}, sign_es256),
        ({"kid": 202611}, sign_es256),
        ({"kid": ["2026-11"]}, sign_es256),
        ({"kid": {"2026-11": 1}}, sign_es256),
        ({"kid": None}, sign_es256),
        ({"jwk": NEW_JWK}, sign_es256),
        ({"jwk": ECAlgorithm.to_jwk(STRANGER.public_key(), as_dict=True)}, sign_as_a_stranger),
        ({"jku": "https://evil.example/jwks.json"}, sign_es256),
        ({"x5u": "https://evil.example/certificate.pem"}, sign_es256),
        ({"x5c": ["MIIB"]}, sign_es256),
        ({"x5t": "AAAA"}, sign_es256),
        ({"crit": ["exp"], "exp": SECONDS}, sign_es256),
        ({"crit": []}, sign_es256),
        ({"b64": False, "crit": ["b64"]}, sign_es256),
        ({"zip": "DEF"}, sign_es256),
        ({"cty": "JWT"}, sign_es256),
    ],
    ids=lambda value: json.dumps(value)[:48] if isinstance(value, dict) else value.__name__,
)
def test_the_header_does_not_choose_how_a_token_is_verified(changes: dict[str, object], signer: Signer) -> None:
    assert refused(token({**HEADER, **changes}, CLAIMS, signer))


@pytest.mark.parametrize("member", ["alg", "kid"])
def test_the_header_names_algorithm_and_key(member: str) -> None:
    header = {name: value for name, value in HEADER.items() if name != member}
    assert refused(token(header, CLAIMS))


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (b'{"alg":"ES256","kid":"2026-11","kid":"2026-11"}', CLAIMS),
        (b'{"alg":"none","alg":"ES256","kid":"2026-11"}', CLAIMS),
        (HEADER, json.dumps(CLAIMS).encode()[:-1] + b',"organization_id":"0b000000-0000-4000-8000-00000000000b"}'),
        (HEADER, json.dumps(CLAIMS).encode()[:-1] + b',"x":{"a":1,"a":2}}'),
        (HEADER, json.dumps(CLAIMS).encode()[:-1] + b',"\\u0065xp":%d}' % (SECONDS + 9999)),
    ],
)
def test_a_member_named_twice_makes_a_token_ambiguous(header: bytes | dict[str, object], payload: Any) -> None:  # noqa: ANN401
    assert refused(token(header, payload))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": [ISSUER]},
        {"aud": "https://evil.example"},
        {"aud": [ISSUER]},
        {"aud": [ISSUER, "https://evil.example"]},
        {"aud": ""},
        {"token_use": "refresh"},
        {"token_use": "id"},
        {"token_use": None},
        {"sub": "0d000000-0000-4000-8000-0000000000ff"},
        {"user_id": "0d000000-0000-4000-8000-0000000000ff"},
        {"sub": "admin@acme.example", "user_id": "admin@acme.example"},
        {"sub": 7, "user_id": 7},
        {"organization_id": "acme"},
        {"organization_id": None},
        {"organization_id": ["0a000000-0000-4000-8000-00000000000a"]},
        {"permissions": "stats:read"},
        {"permissions": [1]},
        {"role": None},
        {"epoch": 0},
        {"jti": None},
        {"jti": 1},
        {"app_id": "app"},
        {"exp": str(SECONDS + 890)},
        {"exp": SECONDS + 890.5},
        {"exp": float(SECONDS + 890)},
        {"exp": True},
        {"exp": None},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": [SECONDS + 890]},
        {"iat": str(SECONDS - 10)},
        {"iat": float(SECONDS - 10)},
        {"iat": None},
        {"nbf": str(SECONDS - 10)},
        {"nbf": float(SECONDS - 10)},
        {"nbf": None},
        {"exp": SECONDS - 61},
        {"exp": SECONDS - 60},
        {"exp": 0},
        {"exp": -1},
        {"nbf": SECONDS + 61},
        {"iat": SECONDS + 61, "exp": SECONDS + 900},
    ],
    ids=str,
)
def test_a_wrong_claim_refuses_the_token(changes: dict[str, object]) -> None:
    assert refused(token(HEADER, {**CLAIMS, **changes}))


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_no_claim_may_be_missing(claim: str) -> None:
    assert refused(token(HEADER, {name: value for name, value in CLAIMS.items() if name != claim}))


@pytest.mark.parametrize(
    "changes",
    [{"exp": SECONDS - 59}, {"nbf": SECONDS + 60}, {"iat": SECONDS + 60}, {"nbf": SECONDS - 9999}, {"app_id": USER}],
    ids=str,
)
def test_clocks_may_differ_by_a_minute(changes: dict[str, object]) -> None:
    assert not refused(token(HEADER, {**CLAIMS, **changes}))


@pytest.mark.parametrize(
    "exp", [10**12, 10**15, 10**18, 10**30, int("9" * 400)], ids=lambda exp: f"{len(str(exp))} digits"
)
def test_a_time_that_no_calendar_has_is_refused_or_can_be_told(exp: int) -> None:
    try:
        claims = KEY_SET.verify(token(HEADER, {**CLAIMS, "exp": exp}), now=NOW)
    except UnauthenticatedError:
        return
    assert claims.expires_at > NOW


def test_a_token_is_refused_past_8_kib() -> None:
    good = token(HEADER, {**CLAIMS, "permissions": ["x" * 5000]})
    assert len(good) < MAX_TOKEN_CHARACTERS == 8192
    assert not refused(good)
    assert refused(token(HEADER, {**CLAIMS, "permissions": ["x" * 6000]}))


GOOD = token(HEADER, CLAIMS)
HEAD, BODY, SIGNATURE = GOOD.split(".")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b.c",
        GOOD + "\n",
        "\n" + GOOD,
        GOOD + " ",
        " " + GOOD,
        GOOD + "=",
        GOOD + ".",
        GOOD + f".{SIGNATURE}",
        f"{HEAD}.{BODY}",
        f"{HEAD}.{BODY}.",
        f"{HEAD}..{SIGNATURE}",
        f".{BODY}.{SIGNATURE}",
        f"{HEAD}.{BODY}.{SIGNATURE[:-4]}",
        f"{HEAD}.{BODY}.{SIGNATURE[::-1]}",
        f"{HEAD}.{encode(json.dumps({**CLAIMS, 'role': 'super_admin'}).encode())}.{SIGNATURE}",
        f"{encode(json.dumps({**HEADER, 'typ': 'at+jwt'}).encode())}.{BODY}.{SIGNATURE}",
        GOOD.replace(".", "\uff0e"),
        GOOD[:-1] + "é",
        f"{HEAD}.{BODY[:10]}\0{BODY[10:]}.{SIGNATURE}",
        f"{HEAD}.{BODY[:10]}+/{BODY[10:]}.{SIGNATURE}",
        f"{encode(b'not json')}.{BODY}.{SIGNATURE}",
        f"{encode(bytes([0xFF, 0xFE]))}.{BODY}.{SIGNATURE}",
        f"{encode(b'[]')}.{BODY}.{SIGNATURE}",
        f"{encode(b'null')}.{BODY}.{SIGNATURE}",
        f"{encode(b'[' * 3000)}.{BODY}.{SIGNATURE}",
        json.dumps({"protected": HEAD, "payload": BODY, "signature": SIGNATURE}),
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_what_is_no_compact_token_is_refused(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{",
        b"{}",
        b"[" * 3000 + b"]" * 3000,
        b"\xff\xfe",
        json.dumps(CLAIMS).encode().replace(b"admin@acme", b"\xff"),
        json.dumps(CLAIMS).encode() + b"x",
        b'{"exp":' + b"9" * 5000 + b"}",
    ],
    ids=lambda payload: ascii(payload)[:24],
)
def test_a_signed_payload_that_is_no_object_of_claims_is_refused(payload: bytes) -> None:
    assert refused(token(HEADER, payload))
    assert refused(token({**HEADER, "alg": "RS256", "kid": "2026-10"}, payload, sign_rs256))


@given(st.text(max_size=200))
def test_no_text_is_refused_in_another_way(text: str) -> None:
    assert refused(text)
    assert refused(f"{HEAD}.{BODY}.{encode(text.encode(errors='replace')) or 'AA'}")
    assert refused(f"{encode(text.encode(errors='replace')) or 'AA'}.{BODY}.{SIGNATURE}")


@pytest.mark.parametrize("algorithm", ["HS256", "RS512", "none"])
def test_a_key_set_holds_keys_of_allowed_algorithms_only(algorithm: str) -> None:
    jwk = {"kty": "oct", "k": encode(b"x" * 64)} if algorithm == "HS256" else OLD_JWK
    document = json.dumps({"keys": [{**jwk, "kid": "weak", "alg": algorithm}]})
    with pytest.raises((ValueError, NotImplementedError)):
        KeySet.from_jwks(document, issuer=ISSUER, audience=ISSUER)


@pytest.mark.parametrize("document", ["", "{}", "[]", '{"keys":[{}]}', '{"keys":[{"kty":"RSA"}]}'])
def test_a_broken_key_set_is_no_empty_one(document: str) -> None:
    with pytest.raises((KeyError, TypeError, msgspec.DecodeError, jwt.PyJWKError)):
        KeySet.from_jwks(document, issuer=ISSUER, audience=ISSUER)
