"""Credentials that prove nobody: what a broken client, a scanner or a forger sends as `Authorization`."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from tenancy.rules.api_keys import ApiKey, KeyType, generate_key
from tests.unit.signed_tokens import encode

HUGE = 100_000
LATER, LONG_AGO = 4_102_444_800, 1_000_000_000  # 2100 and 2001

type Forms = dict[str, tuple[str, ...]]


class Forger:
    """Signs what it likes: with the deployment's key, with its own, or not at all."""

    def __init__(self, key: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
        """*claims* would be a valid token's."""
        self._key = ECAlgorithm.from_jwk(dict(key))
        self._stranger = generate_private_key(SECP256R1())
        self.header = {"alg": "ES256", "kid": key["kid"], "typ": "JWT"}
        self.claims = dict(claims)

    def token(self, header: object = None, claims: object = None, *, key: object = None) -> str:
        """Return a token of exactly these parts; bytes stand for themselves."""
        parts = (self.header if header is None else header, self.claims if claims is None else claims)
        message = ".".join(encode(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in parts)
        signature = ECAlgorithm(ECAlgorithm.SHA256).sign(message.encode(), key or self._key)  # type: ignore[arg-type]
        return f"{message}.{encode(signature)}"

    def strangers(self, header: object = None) -> str:
        return self.token(header, key=self._stranger)

    def with_header(self, **changes: object) -> str:
        return self.token({**self.header, **changes})

    def with_claims(self, **changes: object) -> str:
        return self.token(claims={**self.claims, **changes})

    def without(self, claim: str) -> str:
        return self.token(claims={name: value for name, value in self.claims.items() if name != claim})


def malformed(forger: Forger, secret: ApiKey, write: ApiKey) -> Forms:
    """Return the values of `Authorization` by what is wrong with them; *secret* and *write* are keys that work."""
    one = {**_schemes(forger, secret, write), **_keys(secret, write), **_tokens(forger), **_claims(forger)}
    valid = f"Bearer {secret.text}"
    several = {
        "a key and nothing": (valid, ""),
        "a key and noise": (valid, "noise"),
        "noise and a key": ("noise", valid),
        "a key twice": (valid, valid),
        "two keys": (valid, f"Bearer {write.text}"),
        "two keys in one line": (f"{valid}, Bearer {write.text}",),
    }
    return {name: (value,) for name, value in one.items()} | several


def _schemes(forger: Forger, secret: ApiKey, write: ApiKey) -> dict[str, str]:
    return {
        "nothing": "",
        "a space": " ",
        "only Bearer": "Bearer",
        "Bearer and a space": "Bearer ",
        "only Basic": "Basic",
        "no scheme": secret.text,
        "a token without a scheme": forger.token(),
        "another scheme": f"Token {secret.text}",
        "a digest": 'Digest username="admin"',
        "a signature of AWS": "AWS4-HMAC-SHA256 Credential=AKIA/20261124/eu-central-1/execute-api/aws4_request",
        "two schemes": f"Bearer Bearer {secret.text}",
        "a tab": f"Bearer\t{secret.text}",
        "a long S": f"Ba\u017fic {_basic(f'{write.text}:')}",
        "a full-width scheme": f"\uff22earer {secret.text}",
        "a NUL": f"Bearer {secret.text}\0",
        "a NUL before": f"\0Bearer {secret.text}",
        "a line break": f"Bearer {secret.text}\r\nX-Organization-ID: x",
        "a lone surrogate": f"Bearer \ud800{secret.text}",
        "100 KB": "Bearer " + "a" * HUGE,
        "100 KB of a key": f"Bearer {secret.text}" + "A" * HUGE,
        "100 KB of spaces in between": f"Bearer {' ' * HUGE}x{secret.text}",
        "100 KB of Basic": "Basic " + _basic("a" * HUGE),
        "Basic that is no base64": "Basic !!!!",
        "Basic with bad padding": "Basic YQ=",
        "Basic that is no UTF-8": "Basic " + base64.b64encode(b"\xff\xfe:").decode(),
        "Basic with nothing in it": "Basic " + _basic(":"),
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
        "another prefix": f"Bearer pk{text[2:]}",
        "a write key's prefix": f"Bearer wk{text[2:]}",
        "a key in capitals": f"Bearer {text.upper()}",
        "a key cut short": f"Bearer {text[:-7]}",
        "a key and a letter": f"Bearer {text}A",
        "only a prefix": "Bearer sk_",
        "Unicode digits": f"Bearer {text[:3]}{'\u0661' * (len(text) - 3)}",
        "a key in quotes": f'Bearer "{text}"',
        "a wildcard": "Bearer sk_%",
        "a statement": "Bearer ' OR 1=1 --",
        "a known digest": f"Bearer {write.digest.hex()}",
    }


def _tokens(forger: Forger) -> dict[str, str]:
    good = forger.token()
    head, body, signature = good.split(".")
    twice = json.dumps(forger.header)[:-1].encode() + b', "alg": "none"}'
    two_organizations = json.dumps(forger.claims)[:-1].encode() + b', "organization_id": "0"}'
    texts = {
        "a stranger's token": forger.strangers(),
        "alg none": f"{encode(b'{"alg":"none"}')}.{body}.",
        "alg None with a signature": forger.with_header(alg="None"),
        "alg HS256": forger.with_header(alg="HS256"),
        "an alg that is a list": forger.with_header(alg=["ES256"]),
        "no kid": forger.token({"alg": "ES256"}),
        "an unknown kid": forger.with_header(kid="nobody"),
        "a kid that is a number": forger.with_header(kid=1),
        "a kid that is a list": forger.with_header(kid=[forger.header["kid"]]),
        "a kid that is an object": forger.with_header(kid={}),
        "a kid that is a path": forger.with_header(kid="../../etc/passwd"),
        "jwk": forger.strangers({**forger.header, "jwk": {"kty": "EC"}}),
        "jku": forger.with_header(jku="https://evil.example/jwks"),
        "x5u": forger.with_header(x5u="https://evil.example/x5u"),
        "x5c": forger.with_header(x5c=["MII"]),
        "crit": forger.with_header(crit=["exp"]),
        "a member twice in the header": forger.token(twice),
        "a claim twice": forger.token(claims=two_organizations),
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{signature}",
        "another body": f"{head}.{encode(json.dumps({**forger.claims, 'role': 'admin'}).encode())}.{signature}",
        "a body that is a list": forger.token(claims=[]),
        "a body that is no JSON": forger.token(claims=b"{"),
        "a body that is no UTF-8": forger.token(claims=b"\xff\xfe"),
        "5,000 levels": forger.token(claims=b"[" * 5000),
        "a header of 3,000 levels": forger.token(b"[" * 3000),
        "a surrogate in the body": forger.token(claims=b'{"sub":"\\ud800"}'),
    }
    return {name: f"Bearer {text}" for name, text in texts.items()}


def _claims(forger: Forger) -> dict[str, str]:
    texts = {
        "another issuer": forger.with_claims(iss="https://evil.example"),
        "another audience": forger.with_claims(aud="https://evil.example"),
        "a list of audiences": forger.with_claims(aud=[forger.claims["aud"], "x"]),
        "a refresh token": forger.with_claims(token_use="refresh"),
        "no token_use": forger.without("token_use"),
        "no exp": forger.without("exp"),
        "no epoch": forger.without("epoch"),
        "no organization": forger.without("organization_id"),
        "a long ended token": forger.with_claims(exp=LONG_AGO),
        "a token of 2100": forger.with_claims(nbf=LATER),
        "issued in 2100": forger.with_claims(iat=LATER),
        "exp that is a float": forger.with_claims(exp=float(LATER)),
        "exp that is huge": forger.with_claims(exp=10**400),
        "exp that is Infinity": forger.with_claims(exp=float("inf")),
        "exp that is NaN": forger.with_claims(exp=float("nan")),
        "exp that is a text": forger.with_claims(exp=str(LATER)),
        "exp that is true": forger.with_claims(exp=True),
        "nbf below zero": forger.with_claims(nbf=-1),
        "another subject": forger.with_claims(sub="0d000000-0000-4000-8000-00000000000d"),
        "a subject that is a number": forger.with_claims(sub=1),
        "an organization that is null": forger.with_claims(organization_id=None),
        "an organization that is no id": forger.with_claims(organization_id="' OR 1=1 --"),
        "a NUL in the organization": forger.with_claims(organization_id="\0"),
        "permissions that are a text": forger.with_claims(permissions="*"),
        "an epoch that is a number": forger.with_claims(epoch=0),
        "another epoch": forger.with_claims(epoch="1.0"),
    }
    return {name: f"Bearer {text}" for name, text in texts.items()}


def _basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
