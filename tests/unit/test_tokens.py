"""Access tokens: a valid one is accepted, and all others are refused with the same answer."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jwt.algorithms import ECAlgorithm

from tenancy.rules.credentials import MAX_CREDENTIAL_CHARACTERS
from tests.members import for_each
from tests.unit.signed_tokens import (
    CLAIMS,
    HEADER,
    ISSUER,
    KEY_SET,
    NEW_JWK,
    NOW,
    SECONDS,
    STRANGER,
    USER,
    Signer,
    refused,
    sign_as_a_stranger,
    sign_es256,
    sign_rs256,
    sign_with_the_public_key_as_a_secret,
    token,
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def number(value: int) -> bytes:
    return value.to_bytes(32)


def test_valid_token_has_user_and_organization() -> None:
    claims = KEY_SET.verify(token(HEADER, CLAIMS), now=NOW)

    assert claims.user_id == claims.sub == UUID(USER)
    assert claims.organization_id == UUID("0a000000-0000-4000-8000-00000000000a")
    assert (claims.email, claims.role, claims.permissions) == (
        "admin@acme.example",
        "analyst",
        ["stats:read", "usage:read"],
    )
    assert (claims.epoch, claims.app_id) == ("0.0", None)
    assert claims.expires_at == datetime.fromtimestamp(CLAIMS["exp"] + 60, UTC)


@for_each(
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
    ids=lambda value: json.dumps(value)[:24] if isinstance(value, dict) else value.__name__,
)
def test_header_cannot_choose_the_verification(changes: dict[str, object], signer: Signer) -> None:
    assert refused(token({**HEADER, **changes}, CLAIMS, signer))


@pytest.mark.parametrize("member", ["alg", "kid"])
def test_header_must_name_algorithm_and_key(member: str) -> None:
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
def test_duplicate_member_is_refused(header: bytes | dict[str, object], payload: Any) -> None:  # noqa: ANN401
    assert refused(token(header, payload))


@for_each(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": [ISSUER]},
        {"aud": "https://evil.example"},
        {"aud": ""},
        {"aud": []},
        {"aud": [""]},
        {"aud": ["https://evil.example"]},
        {"aud": [ISSUER + "/"]},
        {"aud": [ISSUER, 7]},
        {"aud": [None, ISSUER]},
        {"aud": [[ISSUER], ISSUER]},
        {"aud": {ISSUER: True}},
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
        {"iat": False},
        {"iat": True},
        {"nbf": True},
        {"nbf": float("nan")},
        {"iat": float("-inf")},
        {"iat": {"seconds": SECONDS}},
        {"nbf": [[[]]]},
        {"iat": 10**400},
        {"nbf": -(10**400)},
        {"exp": 10**400},
        {"exp": 2**63},
        {"exp": -(2**63)},
        {"exp": 1e300},
        {"exp": {}},
        {"iss": None},
        {"iss": True},
        {"iss": {"url": ISSUER}},
        {"aud": None},
        {"aud": True},
        {"aud": {}},
        {"aud": [[ISSUER]]},
        {"token_use": ["access"]},
        {"token_use": True},
        {"token_use": "ACCESS"},
        {"email": None},
        {"email": ["admin@acme.example"]},
        {"email": 7},
        {"role": ["analyst"]},
        {"role": True},
        {"permissions": None},
        {"permissions": {"stats:read": True}},
        {"permissions": [["stats:read"]]},
        {"permissions": [None]},
        {"permissions": True},
        {"epoch": True},
        {"epoch": None},
        {"epoch": 0.0},
        {"epoch": ["0.0"]},
        {"app_id": 5},
        {"app_id": []},
        {"app_id": True},
        {"organization_id": True},
        {"organization_id": {"id": "0a000000-0000-4000-8000-00000000000a"}},
        {"organization_id": ""},
        {"exp": SECONDS - 61},
        {"exp": SECONDS - 60},
        {"exp": 0},
        {"exp": -1},
        {"nbf": SECONDS + 61},
        {"iat": SECONDS + 61, "exp": SECONDS + 900},
        {"exp": SECONDS + 10 * 365 * 86_400},
        {"exp": SECONDS - 10 + 86_401},
        {"iat": SECONDS - 86_400, "exp": SECONDS + 1},
        {"iat": 0},
        {"nbf": SECONDS - 10, "exp": SECONDS - 10 + 86_401},
    ],
    ids=str,
)
def test_wrong_claim_is_refused(changes: dict[str, object]) -> None:
    assert refused(token(HEADER, {**CLAIMS, **changes}))


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_missing_claim_is_refused(claim: str) -> None:
    assert refused(token(HEADER, {name: value for name, value in CLAIMS.items() if name != claim}))


@pytest.mark.parametrize(
    "changes",
    [{"exp": SECONDS - 59}, {"nbf": SECONDS + 60}, {"iat": SECONDS + 60}, {"nbf": SECONDS - 9999}, {"app_id": USER}],
    ids=str,
)
def test_clocks_may_differ_by_a_minute(changes: dict[str, object]) -> None:
    assert not refused(token(HEADER, {**CLAIMS, **changes}))


@pytest.mark.parametrize("exp", [253_402_300_739, 253_402_300_740, 10**12, 10**18, int("9" * 400)], ids=str)
@pytest.mark.parametrize("life", [900, 10**9])
def test_far_expiry_is_refused(exp: int, life: int) -> None:
    assert refused(token(HEADER, {**CLAIMS, "iat": exp - life, "exp": exp}))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [ISSUER]},
        {"aud": ["https://other.example", ISSUER]},
        {"iat": SECONDS, "exp": SECONDS + 86_400},
        {"iat": SECONDS + 60, "exp": SECONDS + 60 + 86_400},
    ],
    ids=str,
)
def test_list_of_audiences_and_a_day_are_accepted(changes: dict[str, object]) -> None:
    assert not refused(token(HEADER, {**CLAIMS, **changes}))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"])
def test_type_of_an_access_token_is_accepted(typ: str) -> None:
    assert not refused(token({**HEADER, "typ": typ}, CLAIMS))


def test_type_may_be_missing() -> None:
    assert not refused(token({"alg": "ES256", "kid": "2026-11"}, CLAIMS))


@for_each(
    "typ",
    [
        "",
        "JOSE",
        "id+jwt",
        "dpop+jwt",
        "logout+jwt",
        "text/jwt",
        "application/",
        "application/application/jwt",
        "at+jwt ",
        "JWT\0",
        "\uff2aWT",
        "x" * 4000,
        None,
        True,
        1,
        ["JWT"],
        {"JWT": 1},
    ],
    ids=lambda typ: ascii(typ)[:24],
)
def test_other_type_is_refused(typ: object) -> None:
    assert refused(token({**HEADER, "typ": typ}, CLAIMS))


@pytest.mark.parametrize("seconds", [-3600, -61, -60, -59.999, -1, 0, 1, 889, 3600])
def test_token_is_refused_from_its_expiry_on(seconds: float) -> None:
    text = token(HEADER, {**CLAIMS, "exp": SECONDS, "iat": SECONDS - 7200})
    moment = NOW - timedelta(seconds=seconds)

    ends_at = KEY_SET.verify(text, now=NOW - timedelta(seconds=3600)).expires_at

    assert refused(text, now=moment) == (moment >= ends_at)


@pytest.mark.parametrize(
    "signature",
    [
        number(0) + number(0),
        number(0) + number(1),
        number(1) + number(0),
        number(P256_ORDER) + number(P256_ORDER),
        number(P256_ORDER) + number(1),
        number(2**256 - 1) + number(2**256 - 1),
        b"\0" * 63,
        b"\0" * 65,
        b"\x30\x06\x02\x01\x00\x02\x01\x00",
        b"\0" * 256,
        b"\1",
    ],
    ids=lambda signature: signature[:8].hex() + str(len(signature)),
)
def test_crafted_signature_is_refused(signature: bytes) -> None:
    assert refused(token(HEADER, CLAIMS, lambda _: signature))
    assert refused(token({**HEADER, "alg": "RS256", "kid": "2026-10"}, CLAIMS, lambda _: signature))


def test_der_form_of_a_valid_signature_is_refused() -> None:
    def sign_der(message: bytes) -> bytes:
        raw = sign_es256(message)
        return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    assert refused(token(HEADER, CLAIMS, sign_der))


def test_token_over_8_kib_is_refused() -> None:
    good = token(HEADER, {**CLAIMS, "permissions": ["x" * 5000]})

    assert len(good) < MAX_CREDENTIAL_CHARACTERS == 8192
    assert not refused(good)
    assert refused(token(HEADER, {**CLAIMS, "permissions": ["x" * 6000]}))


@pytest.mark.parametrize(
    "sid", ["8f2c-session", "", 7, None, ["x"], {"id": 1}, "{0e000000-0000-4000-8000-00000000000e}"]
)
def test_session_of_another_issuer_is_ignored(sid: object) -> None:
    """OpenID Connect lets an issuer choose any text (Front-Channel Logout 1.0, 3)."""
    assert KEY_SET.verify(token(HEADER, {**CLAIMS, "sid": sid}), now=NOW).sid is None
