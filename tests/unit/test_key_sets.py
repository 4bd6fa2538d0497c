"""The key set: several live keys of allowed algorithms, and never a broken one."""

import json
from uuid import UUID

import jwt
import msgspec
import pytest

from tenancy.tokens import KeySet
from tests.unit.signed_tokens import (
    CLAIMS,
    HEADER,
    ISSUER,
    KEY_SET,
    NEW,
    NEW_JWK,
    NOW,
    OLD,
    OLD_JWK,
    USER,
    encode,
    refused,
    sign_rs256,
    token,
)


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
