"""Texts that are no compact token with claims are refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.credentials import is_jwt
from tests.members import for_each
from tests.unit.signed_tokens import CLAIMS, HEADER, encode, refused, sign_rs256, token

GOOD = token(HEADER, CLAIMS)
HEAD, BODY, SIGNATURE = GOOD.split(".")


@for_each(
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
def test_malformed_token_is_refused(text: str) -> None:
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
def test_signed_payload_without_claims_is_refused(payload: bytes) -> None:
    assert refused(token(HEADER, payload))
    assert refused(token({**HEADER, "alg": "RS256", "kid": "2026-10"}, payload, sign_rs256))


ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_token_that_is_no_utf_8_is_refused(encoding: str) -> None:
    """RFC 7515, 2: header and payload are UTF-8."""
    header, payload = (json.dumps(part).encode(encoding) for part in (HEADER, CLAIMS))

    assert refused(token(HEADER, payload))
    assert refused(token(header, CLAIMS))
    assert not is_jwt(token(header, CLAIMS))


@given(st.text(max_size=200))
def test_arbitrary_text_is_refused(text: str) -> None:
    assert refused(text)
    assert refused(f"{HEAD}.{BODY}.{encode(text.encode(errors='replace')) or 'AA'}")
    assert refused(f"{encode(text.encode(errors='replace')) or 'AA'}.{BODY}.{SIGNATURE}")
