"""Malformed credentials are refused without any network call."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from tenancy.errors import Refusal, UnauthenticatedError, UnavailableError
from tenancy.rules.access_tokens.verify import KeySet, TokenClaims
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.secrets import JWKS, Secrets
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.keys.authenticate import authenticate
from tests.free_ports import free_port
from tests.given import REGION
from tests.members import for_each
from tests.unit.signed_tokens import (
    CLAIMS,
    HEADER,
    ISSUER,
    KEY_SET,
    NOW,
    SECONDS,
    encode,
    sign_as_a_stranger,
    sign_es256,
    sign_rs256,
    sign_with_the_public_key_as_a_secret,
    token,
)

WRITE, SECRET, PLATFORM = (
    generate_key(key_type).text for key_type in (KeyType.WRITE, KeyType.SECRET, KeyType.PLATFORM)
)
GOOD = token(HEADER, CLAIMS)
HEAD, BODY, SIGNATURE = GOOD.split(".")


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


GARBAGE: list[tuple[str, ...]] = [
    (),
    (f"Bearer {SECRET}", f"Bearer {SECRET}"),
    (f"Bearer {GOOD}", f"Bearer {GOOD}"),
    *(
        (header,)
        for header in (
            "",
            " ",
            "Bearer",
            "Bearer ",
            "Basic",
            "Negotiate",
            "Bearer x",
            "Bearer null",
            "Bearer undefined",
            "Bearer ..",
            "Bearer a.b",
            "Bearer a.b.",
            "Bearer a.b.c",
            f"Bearer {token({**HEADER, 'kid': 1}, CLAIMS)}",
            f"Bearer {token({**HEADER, 'alg': 'none'}, CLAIMS)}",
            f"Bearer {token({**HEADER, 'alg': ['ES256']}, CLAIMS)}",
            f"Bearer {token({'alg': 'ES256'}, CLAIMS)}",
            f"Bearer {token({**HEADER, 'alg': 'HS256'}, CLAIMS, sign_with_the_public_key_as_a_secret)}",
            f"Bearer {token(b'not json', CLAIMS)}",
            f"Bearer {token(b'[]', CLAIMS)}",
            f"Bearer {token(b'[' * 3000, CLAIMS)}",
            f"Bearer {HEAD}.{BODY}.",
            f"Bearer {GOOD}.{SIGNATURE}",
            f"Bearer {GOOD}=",
            f"Bearer {GOOD}, Bearer {GOOD}",
            f"Bearer {GOOD} {GOOD}",
            f"Bearer {GOOD}\n{GOOD}",
            f"Bearer {HEAD}.{BODY}.{SIGNATURE}é",
            f"Bearer {json.dumps({'protected': HEAD, 'payload': BODY, 'signature': SIGNATURE})}",
            f"Bearer {HEAD}.{BODY}.{'A' * 8192}",
            f"Bearer {WRITE[:-1]}",
            f"Bearer {WRITE}0",
            f"Bearer {SECRET.swapcase()}",
            f"Bearer sk_{WRITE[3:]}",
            f"Bearer pk_{SECRET[3:]}",
            f"Bearer {SECRET},{SECRET}",
            "Bearer sk_",
            "Bearer sk_" + "a" * 49,
            "Bearer sk_' OR '1'='1",
            f"Token {SECRET}",
            f"Digest username={SECRET}",
            SECRET,
            basic(f"{SECRET}:"),
            basic(f"{PLATFORM}:"),
            basic(f":{WRITE}"),
            basic(f"{WRITE}\n:"),
            "Basic ***",
            "Basic é",
            f"Basic {base64.b64encode(bytes([0xFF, 0xFE])).decode()}",
        )
    ),
]
# Well-formed tokens that name a key: they reach the key set and no further.
FORGED = [
    token(HEADER, CLAIMS, sign_as_a_stranger),
    token({**HEADER, "kid": "2026-12"}, CLAIMS),
    token({**HEADER, "kid": "../../etc/passwd"}, CLAIMS),
    token({**HEADER, "alg": "RS256"}, CLAIMS, sign_rs256),
    token({**HEADER, "jku": "https://evil.example/jwks.json"}, CLAIMS),
    token({**HEADER, "crit": ["exp"]}, CLAIMS),
    token(HEADER, b"not json"),
    token(HEADER, b"[]"),
    token(HEADER, b'{"exp":' + b"9" * 5000 + b"}"),
    token(HEADER, json.dumps(CLAIMS).encode()[:-1] + b',"exp":1}'),
    token(HEADER, {**CLAIMS, "iss": "https://evil.example"}),
    token(HEADER, {**CLAIMS, "aud": []}),
    token(HEADER, {**CLAIMS, "exp": SECONDS + 10 * 365 * 86_400}),
    token({**HEADER, "typ": "id+jwt"}, CLAIMS),
    token(HEADER, {**CLAIMS, "exp": SECONDS - 60}),
    token(HEADER, {**CLAIMS, "exp": True}),
    token(HEADER, {**CLAIMS, "exp": float(SECONDS + 60)}),
    token(HEADER, {**CLAIMS, "exp": float("nan")}),
    token(HEADER, {**CLAIMS, "exp": 10**300}),
    token(HEADER, {**CLAIMS, "nbf": SECONDS + 61}),
    token(HEADER, {**CLAIMS, "token_use": "refresh"}),
    token(HEADER, {**CLAIMS, "epoch": 0}),
    f"{HEAD}.{encode(json.dumps({**CLAIMS, 'role': 'super_admin'}).encode())}.{SIGNATURE}",
    token(HEADER, CLAIMS, lambda message: sign_es256(message) + b"\0"),
]


class NetworkUsedError(Exception):
    """The code under test opened a connection."""


def no_url() -> str:
    raise NetworkUsedError


def outcome(header: tuple[str, ...], verify_token: Callable[[str, datetime], TokenClaims]) -> type[Exception] | None:
    try:
        authenticate(Database(no_url), verify_token, header, now=NOW)
    except (Refusal, NetworkUsedError) as error:
        return type(error)
    return None


@pytest.fixture
def unreachable_secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Secrets]:
    """Secrets Manager at a port without a listener."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    aws = AwsClient("secretsmanager", REGION, f"http://127.0.0.1:{free_port()}")
    yield Secrets(aws, "tenancy/test")
    aws.close()


def test_malformed_credential_causes_no_call(unreachable_secrets: Secrets) -> None:
    def verify(token: str, now: datetime) -> TokenClaims:
        document = unreachable_secrets.get_secret(JWKS)
        return KeySet.from_jwks(document, issuer=ISSUER, audience=ISSUER).verify(token, now=now)

    assert len(GARBAGE) >= 40
    assert {header: outcome(header, verify) for header in GARBAGE} == dict.fromkeys(GARBAGE, UnauthenticatedError)
    assert outcome((f"Bearer {GOOD}",), verify) is UnavailableError


@for_each("text", FORGED, ids=range(len(FORGED)))
def test_unverified_token_does_not_reach_the_database(text: str) -> None:
    calls: list[None] = []

    def verify(token: str, now: datetime) -> TokenClaims:
        calls.append(None)
        return KEY_SET.verify(token, now=now)

    assert outcome((f"Bearer {text}",), verify) is UnauthenticatedError
    assert len(calls) == 1


@pytest.mark.parametrize(
    "header", [f"Bearer {text}" for text in (GOOD, SECRET, WRITE, PLATFORM)] + [basic(f"{WRITE}:")], ids=range(5)
)
def test_plausible_credential_reaches_the_database(header: str) -> None:
    assert outcome((header,), lambda token, now: KEY_SET.verify(token, now=now)) is NetworkUsedError
