"""The key set refuses keys that are not for verifying, weak or unknown, and names each by its `kid`."""

import json
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from math import prod
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tenancy.rules.access_tokens.public_keys import MAX_KEYS, ROCA_GENERATOR, ROCA_PRIMES, SMALL_PRIMES, KeySetError
from tenancy.rules.access_tokens.verify import KeySet
from tenancy.rules.credentials import ALGORITHMS
from tests.members import for_each
from tests.unit.signed_tokens import CLAIMS, HEADER, ISSUER, NEW, NEW_JWK, OLD, OLD_JWK, encode, refused, token

PRIVATE_EC = ECAlgorithm.to_jwk(NEW, as_dict=True)
PRIVATE_RSA = RSAAlgorithm.to_jwk(OLD, as_dict=True)
P384 = ECAlgorithm.to_jwk(generate_ec_key(SECP384R1()).public_key(), as_dict=True)
OTHER_Y = ECAlgorithm.to_jwk(generate_ec_key(SECP256R1()).public_key(), as_dict=True)["y"]
OCT = {"kty": "oct", "k": encode(b"x" * 64)}


def number(value: int) -> str:
    return encode(value.to_bytes((value.bit_length() + 7) // 8))


def rsa_of_bits(bits: int) -> dict[str, Any]:
    return RSAAlgorithm.to_jwk(generate_rsa_key(65_537, bits).public_key(), as_dict=True)


def without_small_factors(numbers: Iterable[int]) -> int:
    return next(number for number in numbers if all(number % prime for prime in SMALL_PRIMES))


def roca_modulus() -> int:
    """Return 2,048 bits with the remainders of a modulus that a chip with ROCA's fault made."""
    primorial = 2 * prod(ROCA_PRIMES)
    power, first = pow(ROCA_GENERATOR, 12_345, primorial), 2**2047 // primorial + 1
    return without_small_factors(step * primorial + power for step in count(first))


def close_modulus(distance: int) -> int:
    """Return the product of a prime and a number that lies close to it."""
    prime = OLD.private_numbers().p
    return prime * without_small_factors(count(prime + distance, 2))


MODULUS = OLD.public_key().public_numbers().n
PRIME = 2**2_203 - 1  # a known prime (Mersenne), and below another one
SHORT_PRIME = 2**521 - 1
EC_FAULTS: dict[str, dict[str, Any]] = {
    "use of encryption": {"use": "enc"},
    "use in another case": {"use": "SIG"},
    "use null": {"use": None},
    "key_ops without verify": {"key_ops": ["sign"]},
    "key_ops with sign": {"key_ops": ["verify", "sign"]},
    "key_ops empty": {"key_ops": []},
    "key_ops a text": {"key_ops": "verify"},
    "key_ops for encryption": {"key_ops": ["wrapKey", "encrypt"]},
    "key_ops null": {"key_ops": None},
    "no alg": {"alg": None},
    "alg none": {"alg": "none"},
    "alg of another curve": {"alg": "ES384"},
    "alg of another kty": {"alg": "RS256"},
    "alg with a secret": {"alg": "HS256"},
    "alg for encryption": {"alg": "ECDH-ES"},
    "alg in another case": {"alg": "es256"},
    "alg a list": {"alg": ["ES256"]},
    "alg unknown": {"alg": "ES224"},
    "private part": {"d": PRIVATE_EC["d"]},
    "private part empty": {"d": ""},
    "private part null": {"d": None},
    "secret": {"k": OCT["k"]},
    "other curve": P384,
    "curve's name alone": {"crv": "P-384"},
    "curve of another algorithm": {"crv": "secp256k1"},
    "no curve": {"crv": None},
    "point of no curve": {"y": OTHER_Y},
    "point at zero": {"x": encode(bytes(32)), "y": encode(bytes(32))},
    "short coordinate": {"x": encode(b"x" * 31)},
    "long coordinate": {"x": encode(b"\0" + b"x" * 32)},
    "no coordinate": {"y": None},
    "coordinate a number": {"x": 7},
    "coordinate with padding": {"x": NEW_JWK["x"] + "="},
    "coordinate in base64": {"x": "+/" + NEW_JWK["x"][2:]},
    "another kty": {"kty": "RSA"},
    "kty OKP": {"kty": "OKP", "crv": "Ed25519"},
    "kty null": {"kty": None},
    "kty in another case": {"kty": "ec"},
}
RSA_FAULTS: dict[str, dict[str, Any]] = {
    "1,024 bits": rsa_of_bits(1024),
    "2,047 bits": {"n": number(MODULUS >> 1 | 1)},
    "2,047 bits behind zeros": {"n": encode((MODULUS >> 1 | 1).to_bytes(300))},
    "too many bits": {"n": number(2**16_384 + 1)},
    "4,097 bits": {"n": number(2**4_096 + 1)},
    "exponent 1": {"e": number(1)},
    "exponent 3": {"e": number(3)},
    "even exponent": {"e": number(65_538)},
    "long exponent": {"e": number(2**64 + 1)},
    "exponent zero": {"e": "AA"},
    "even modulus": {"n": number(MODULUS - 1)},
    "modulus with a factor": {"n": number(MODULUS - MODULUS % (2 * 751) + 751)},
    "square modulus": {"n": number(OLD.private_numbers().p ** 2)},
    "close factors": {"n": number(close_modulus(2))},
    "close factors a little apart": {"n": number(close_modulus(2**500))},
    "prime modulus": {"n": number(PRIME)},
    "prime modulus of 2,048 bits": {"n": number(2**2_047 + 1_919)},
    "third power of a prime": {"n": number(OLD.private_numbers().q ** 3)},
    "fourth power of a prime": {"n": number(SHORT_PRIME**4)},
    "fifth power of a prime": {"n": number(SHORT_PRIME**5)},
    "modulus of ROCA": {"n": number(roca_modulus())},
    "modulus empty": {"n": ""},
    "no modulus": {"n": None},
    "no exponent": {"e": None},
    "other hash": {"alg": "RS512"},
    "other padding": {"alg": "PS256"},
    "for encryption": {"alg": "RSA-OAEP", "use": "enc"},
    "old encryption": {"alg": "RSA1_5", "use": "enc"},
    **{f"private part {name}": {name: PRIVATE_RSA[name]} for name in ("d", "p", "q", "dp", "dq", "qi")},
    "private part oth": {"oth": []},
}
SECRETS = {
    f"{alg} of {size} bytes": (alg, size) for alg in ("HS256", "HS384", "HS512", "A256GCM") for size in (0, 31, 64)
}
FAULTY: dict[str, dict[str, Any]] = {
    **{f"EC: {name}": {**NEW_JWK, **changes} for name, changes in EC_FAULTS.items()},
    **{f"RSA: {name}": {**OLD_JWK, **changes} for name, changes in RSA_FAULTS.items()},
    **{
        f"oct: {name}": {"kty": "oct", "k": encode(b"x" * size), "alg": alg, "use": "sig"}
        for name, (alg, size) in SECRETS.items()
    },
}


def members(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = sorted({*NEW_JWK, *OLD_JWK, *PRIVATE_RSA, "keys", "key_ops"})
    return st.dictionaries(st.sampled_from(names), inner | st.sampled_from(["RSA", "EC", "ES256", "RS256", "P-256"]))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | members(inner)
)


def load(*keys: object) -> KeySet:
    return KeySet.from_jwks(json.dumps({"keys": keys}), issuer=ISSUER, audience=ISSUER)


@for_each("case", FAULTY)
def test_key_that_must_not_verify_is_refused_by_name(case: str) -> None:
    with pytest.raises(KeySetError, match="'of the test'"):
        load({**FAULTY[case], "kid": "of the test"})


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("EC: use of encryption", "use other than"),
        ("EC: key_ops without verify", "key_ops other than"),
        ("EC: private part", r"private members \(d\)"),
        ("EC: point of no curve", "no point of its curve"),
        ("EC: curve's name alone", "not on the curve of ES256"),
        ("RSA: 1,024 bits", "has 1024 bits"),
        ("RSA: exponent 1", "public exponent"),
        ("RSA: modulus with a factor", "small factor"),
        ("RSA: close factors", "factors are too close"),
        ("RSA: modulus of ROCA", "ROCA"),
        ("RSA: prime modulus", "prime or a power of one"),
        ("RSA: third power of a prime", "prime or a power of one"),
        ("oct: HS256 of 64 bytes", r"private members \(k\)"),
    ],
)
def test_refusal_says_why(case: str, reason: str) -> None:
    with pytest.raises(KeySetError, match=reason):
        load({**FAULTY[case], "kid": "k"})


def test_set_has_at_most_ten_keys() -> None:
    keys = [{**NEW_JWK, "kid": str(kid)} for kid in range(MAX_KEYS + 1)]

    assert len(load(*keys[:-1]).keys) == MAX_KEYS
    with pytest.raises(KeySetError, match="it has 11 keys"):
        load(*keys)


@for_each("case", FAULTY)
def test_faulty_key_refuses_the_whole_set(case: str) -> None:
    valid = OLD_JWK if case.startswith("EC") else NEW_JWK

    for keys in ((valid, {**FAULTY[case], "kid": "bad"}), ({**FAULTY[case], "kid": "bad"}, valid)):
        with pytest.raises(KeySetError, match="key 'bad'") as refusal:
            load(*keys)
        assert valid["kid"] not in str(refusal.value)


def test_each_faulty_key_is_named() -> None:
    with pytest.raises(KeySetError, match=r"(?s)'one'.*'two'.*key 4 has no kid"):
        load({**NEW_JWK, "kid": "one", "use": "enc"}, {**OLD_JWK, "kid": "two", "alg": "none"}, OLD_JWK, {})


@pytest.mark.parametrize("private", [PRIVATE_EC, PRIVATE_RSA, OCT], ids=["EC", "RSA", "oct"])
def test_error_repeats_no_private_part(private: dict[str, str]) -> None:
    with pytest.raises(KeySetError) as refusal:
        load({**private, "kid": "leaked", "alg": "ES256"})

    values = [value for name, value in private.items() if name in {"d", "k", "p", "q"}]
    assert values
    assert [value for value in values if value in str(refusal.value)] == []
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("kid", [None, "", 7, ["2026-11"], {"a": 1}, True], ids=str)
def test_key_without_a_text_as_kid_is_refused(kid: object) -> None:
    with pytest.raises(KeySetError, match="key 2 has no kid"):
        load(OLD_JWK, {**NEW_JWK, "kid": kid})


def test_two_keys_with_the_same_kid_are_refused() -> None:
    with pytest.raises(KeySetError, match="same kid as another one, '2026-10'"):
        load(OLD_JWK, {**NEW_JWK, "kid": OLD_JWK["kid"]})


@for_each(
    "document",
    [
        "",
        "{}",
        "[]",
        "null",
        "7",
        "\ufeff{}",
        "[" * 100_000,
        '{"keys":[]}',
        '{"keys":{}}',
        '{"keys":null}',
        '{"keys":[7]}',
        '{"keys":[null]}',
        '{"keys":[[]]}',
        '{"keys":[{}]}',
        '{"keys":[],"keys":[]}',
        '{"keys":[{"kid":"a","kid":"b"}]}',
    ],
    ids=lambda document: ascii(document)[:24],
)
def test_document_that_is_no_key_set_is_an_error(document: str) -> None:
    with pytest.raises(KeySetError):
        KeySet.from_jwks(document, issuer=ISSUER, audience=ISSUER)


@given(ANYTHING)
def test_any_document_is_a_key_set_or_an_error(document: object) -> None:
    for text in (json.dumps(document), json.dumps({"keys": document}), json.dumps({"keys": [document]})):
        with suppress(KeySetError):
            assert KeySet.from_jwks(text, issuer=ISSUER, audience=ISSUER).keys == {}


@pytest.mark.parametrize(
    "changes", [{}, {"key_ops": ["verify"]}, {"x5t": "AAAA", "x5c": ["MIIB"]}, {"ext": True}, {"nbf": 0}], ids=str
)
def test_public_key_with_other_members_verifies(changes: dict[str, object]) -> None:
    assert not refused(token(HEADER, CLAIMS), key_set=load({**NEW_JWK, **changes}))


def test_use_may_be_missing() -> None:
    without_use = {name: value for name, value in NEW_JWK.items() if name != "use"}

    assert not refused(token(HEADER, CLAIMS), key_set=load(without_use))


def test_alg_may_not_be_missing() -> None:
    for jwk in (OLD_JWK, NEW_JWK):
        with pytest.raises(KeySetError, match="is neither of alg ES256"):
            load({name: value for name, value in jwk.items() if name != "alg"})


def test_allowed_algorithms_are_those_of_keys() -> None:
    assert {jwk["alg"] for jwk in (OLD_JWK, NEW_JWK)} == ALGORITHMS


def test_new_keys_are_not_taken_for_weak_ones() -> None:
    for bits in (2048, 3072, 4096):
        assert set(load({**rsa_of_bits(bits), "kid": "new", "alg": "RS256"}).keys) == {"new"}
