"""Malformed and forged credentials, as broken clients, scanners and forgers send them."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from tenancy.rules.keys.api_keys import ApiKey, KeyType, generate_key
from tests.unit.signed_tokens import encode

LONG = 100_000
YEAR_2100, YEAR_2001 = 4_102_444_800, 1_000_000_000

type HeaderValues = dict[str, tuple[str, ...]]  # the values of `Authorization` by the defect


class Forger:
    """Makes tokens: with the deployment's key, or with a key of its own."""

    def __init__(self, key: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
        """Take the deployment's signing *key*, a JWK, and the *claims* of a valid token."""
        self._key = ECAlgorithm.from_jwk(dict(key))
        self._own_key = generate_private_key(SECP256R1())
        self.header = {"alg": "ES256", "kid": key["kid"], "typ": "JWT"}
        self.claims = dict(claims)

    def token(self, header: object = None, claims: object = None, *, key: object = None) -> str:
        """Return a token of exactly these parts, bytes without encoding as JSON."""
        parts = (self.header if header is None else header, self.claims if claims is None else claims)
        message = ".".join(encode(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in parts)
        signature = ECAlgorithm(ECAlgorithm.SHA256).sign(message.encode(), key or self._key)  # type: ignore[arg-type]
        return f"{message}.{encode(signature)}"

    def self_signed(self, header: object = None) -> str:
        return self.token(header, key=self._own_key)

    def with_header(self, **changes: object) -> str:
        return self.token({**self.header, **changes})

    def with_claims(self, **changes: object) -> str:
        return self.token(claims={**self.claims, **changes})

    def without_claim(self, claim: str) -> str:
        return self.token(claims={name: value for name, value in self.claims.items() if name != claim})


def malformed_credentials(forger: Forger, secret: ApiKey, write: ApiKey) -> HeaderValues:
    """Return the values of `Authorization` by their defect.

    *secret* and *write* are valid keys.
    """
    single = {**_schemes(forger, secret, write), **_keys(secret, write), **_tokens(forger), **_claims(forger)}
    valid = f"Bearer {secret.text}"
    several = {
        "a key and an empty value": (valid, ""),
        "a key and random text": (valid, "random"),
        "random text and a key": ("random", valid),
        "a key twice": (valid, valid),
        "two keys": (valid, f"Bearer {write.text}"),
        "two keys in one line": (f"{valid}, Bearer {write.text}",),
    }
    return {name: (value,) for name, value in single.items()} | several


def _schemes(forger: Forger, secret: ApiKey, write: ApiKey) -> dict[str, str]:
    return {
        "an empty value": "",
        "a space": " ",
        "Bearer alone": "Bearer",
        "Bearer and a space": "Bearer ",
        "Basic alone": "Basic",
        "a key without a scheme": secret.text,
        "a token without a scheme": forger.token(),
        "an unknown scheme": f"Token {secret.text}",
        "the Digest scheme": 'Digest username="admin"',
        "an AWS signature": "AWS4-HMAC-SHA256 Credential=AKIA/20261124/eu-central-1/execute-api/aws4_request",
        "two schemes": f"Bearer Bearer {secret.text}",
        "a tab after the scheme": f"Bearer\t{secret.text}",
        "a long S in the scheme": f"Ba\u017fic {_basic(f'{write.text}:')}",
        "a full-width scheme": f"\uff22earer {secret.text}",
        "a NUL at the end": f"Bearer {secret.text}\0",
        "a NUL at the start": f"\0Bearer {secret.text}",
        "a line break": f"Bearer {secret.text}\r\nX-Organization-ID: x",
        "a lone surrogate": f"Bearer \ud800{secret.text}",
        "100 KB": "Bearer " + "a" * LONG,
        "100 KB of a key": f"Bearer {secret.text}" + "A" * LONG,
        "100 KB of spaces": f"Bearer {' ' * LONG}x{secret.text}",
        "100 KB of base64": "Basic " + _basic("a" * LONG),
        "Basic with invalid base64": "Basic !!!!",
        "Basic with wrong padding": "Basic YQ=",
        "Basic with invalid UTF-8": "Basic " + base64.b64encode(b"\xff\xfe:").decode(),
        "Basic without a user name": "Basic " + _basic(":"),
        "Basic in full-width letters": "Basic \uff21\uff21\uff21\uff21",
        "Basic with a secret key": f"Basic {_basic(f'{secret.text}:')}",
        "Basic with the key as a password": f"Basic {_basic(f'user:{write.text}')}",
        "Basic with a NUL": f"Basic {_basic(f'{write.text}\0:')}",
    }


def _keys(secret: ApiKey, write: ApiKey) -> dict[str, str]:
    text = secret.text
    return {
        "an unknown secret key": f"Bearer {generate_key(KeyType.SECRET).text}",
        "an unknown write key": f"Bearer {generate_key(KeyType.WRITE).text}",
        "an unknown platform key": f"Bearer {generate_key(KeyType.PLATFORM).text}",
        "a wrong checksum": f"Bearer {text[:-1]}{'0' if text[-1] != '0' else '1'}",
        "a platform key's prefix": f"Bearer pk{text[2:]}",
        "a write key's prefix": f"Bearer wk{text[2:]}",
        "a key in capitals": f"Bearer {text.upper()}",
        "a key cut short": f"Bearer {text[:-7]}",
        "a key with one more letter": f"Bearer {text}A",
        "a prefix alone": "Bearer sk_",
        "Unicode digits": f"Bearer {text[:3]}{'\u0661' * (len(text) - 3)}",
        "a key in quotes": f'Bearer "{text}"',
        "an SQL wildcard": "Bearer sk_%",
        "an SQL condition": "Bearer ' OR 1=1 --",
        "the digest of a key": f"Bearer {write.digest.hex()}",
    }


def _tokens(forger: Forger) -> dict[str, str]:
    good = forger.token()
    head, body, signature = good.split(".")
    twice = json.dumps(forger.header)[:-1].encode() + b', "alg": "none"}'
    two_organizations = json.dumps(forger.claims)[:-1].encode() + b', "organization_id": "0"}'
    texts = {
        "a self-signed token": forger.self_signed(),
        "alg none": f"{encode(b'{"alg":"none"}')}.{body}.",
        "alg None with a signature": forger.with_header(alg="None"),
        "alg HS256": forger.with_header(alg="HS256"),
        "an alg that is a list": forger.with_header(alg=["ES256"]),
        "no kid": forger.token({"alg": "ES256"}),
        "an unknown kid": forger.with_header(kid="unknown"),
        "a kid that is a number": forger.with_header(kid=1),
        "a kid that is a list": forger.with_header(kid=[forger.header["kid"]]),
        "a kid that is an object": forger.with_header(kid={}),
        "a kid that is a path": forger.with_header(kid="../../etc/passwd"),
        "jwk": forger.self_signed({**forger.header, "jwk": {"kty": "EC"}}),
        "jku": forger.with_header(jku="https://evil.example/jwks"),
        "x5u": forger.with_header(x5u="https://evil.example/x5u"),
        "x5c": forger.with_header(x5c=["MII"]),
        "crit": forger.with_header(crit=["exp"]),
        "a typ of another kind of token": forger.with_header(typ="id+jwt"),
        "a typ that is a list": forger.with_header(typ=["JWT"]),
        "a member twice in the header": forger.token(twice),
        "a claim twice": forger.token(claims=two_organizations),
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{signature}",
        "changed claims": f"{head}.{encode(json.dumps({**forger.claims, 'role': 'admin'}).encode())}.{signature}",
        "claims that are a list": forger.token(claims=[]),
        "claims that are not JSON": forger.token(claims=b"{"),
        "claims that are not UTF-8": forger.token(claims=b"\xff\xfe"),
        "claims of 5,000 levels": forger.token(claims=b"[" * 5000),
        "a header of 3,000 levels": forger.token(b"[" * 3000),
        "a surrogate in a claim": forger.token(claims=b'{"sub":"\\ud800"}'),
    }
    return {name: f"Bearer {text}" for name, text in texts.items()}


def _claims(forger: Forger) -> dict[str, str]:
    texts = {
        "another issuer": forger.with_claims(iss="https://evil.example"),
        "another audience": forger.with_claims(aud="https://evil.example"),
        "a list of other audiences": forger.with_claims(aud=["https://evil.example", "x"]),
        "a list of audiences with a number": forger.with_claims(aud=[forger.claims["aud"], 1]),
        "a refresh token": forger.with_claims(token_use="refresh"),
        "no token_use": forger.without_claim("token_use"),
        "no exp": forger.without_claim("exp"),
        "no epoch": forger.without_claim("epoch"),
        "no organization": forger.without_claim("organization_id"),
        "a token that expired in 2001": forger.with_claims(exp=YEAR_2001),
        "a token that expires in 2100": forger.with_claims(exp=YEAR_2100),
        "a token that begins in 2100": forger.with_claims(nbf=YEAR_2100),
        "a token issued in 2100": forger.with_claims(iat=YEAR_2100),
        "exp that is a float": forger.with_claims(exp=float(YEAR_2100)),
        "exp that is huge": forger.with_claims(exp=10**400),
        "exp that is Infinity": forger.with_claims(exp=float("inf")),
        "exp that is NaN": forger.with_claims(exp=float("nan")),
        "exp that is a string": forger.with_claims(exp=str(YEAR_2100)),
        "exp that is true": forger.with_claims(exp=True),
        "negative nbf": forger.with_claims(nbf=-1),
        "another subject": forger.with_claims(sub="0d000000-0000-4000-8000-00000000000d"),
        "a subject that is a number": forger.with_claims(sub=1),
        "an organization that is null": forger.with_claims(organization_id=None),
        "an organization that is not a UUID": forger.with_claims(organization_id="' OR 1=1 --"),
        "a NUL in the organization": forger.with_claims(organization_id="\0"),
        "permissions that are a string": forger.with_claims(permissions="*"),
        "an epoch that is a number": forger.with_claims(epoch=0),
        "another epoch": forger.with_claims(epoch="1.0"),
    }
    return {name: f"Bearer {text}" for name, text in texts.items()}


def _basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
