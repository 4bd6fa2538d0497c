"""The key set: several valid keys of allowed algorithms, and rotation."""

import json
from uuid import UUID

import jwt
from jwt.algorithms import ECAlgorithm

from tenancy.rules.access_tokens.verify import KeySet
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
    STRANGER,
    USER,
    refused,
    sign_rs256,
    token,
)


def test_all_keys_of_a_set_verify() -> None:
    for text in (
        jwt.encode(CLAIMS, OLD, "RS256", headers={"kid": "2026-10"}),
        jwt.encode(CLAIMS, NEW, "ES256", headers={"kid": "2026-11"}),
    ):
        assert KEY_SET.verify(text, now=NOW).user_id == UUID(USER)


def test_removed_key_verifies_no_token() -> None:
    rotated = KeySet.from_jwks(json.dumps({"keys": [NEW_JWK]}), issuer=ISSUER, audience=ISSUER)

    assert refused(token({**HEADER, "alg": "RS256", "kid": "2026-10"}, CLAIMS, sign_rs256), key_set=rotated)
    assert not refused(token(HEADER, CLAIMS), key_set=rotated)


def test_rotation_has_no_gap_and_ends_with_the_old_key() -> None:
    old = token({**HEADER, "alg": "RS256", "kid": "2026-10"}, CLAIMS, sign_rs256)
    new = token(HEADER, CLAIMS)

    before, during, after = (
        KeySet.from_jwks(json.dumps({"keys": keys}), issuer=ISSUER, audience=ISSUER)
        for keys in ([OLD_JWK], [NEW_JWK, OLD_JWK], [NEW_JWK])
    )

    assert [refused(old, key_set=key_set) for key_set in (before, during, after)] == [False, False, True]
    assert [refused(new, key_set=key_set) for key_set in (before, during, after)] == [True, False, False]
    # The second time: the cache of one set must not affect the others.
    assert [refused(old, key_set=key_set) for key_set in (before, during, after)] == [False, False, True]


def test_new_key_with_an_old_kid_verifies_no_old_token() -> None:
    text = token(HEADER, CLAIMS)
    stolen = ECAlgorithm.to_jwk(STRANGER.public_key(), as_dict=True)
    replaced = {**stolen, "kid": NEW_JWK["kid"], "alg": "ES256"}

    assert not refused(text)
    assert refused(text, key_set=KeySet.from_jwks(json.dumps({"keys": [replaced]}), issuer=ISSUER, audience=ISSUER))
