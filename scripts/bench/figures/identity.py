"""Identity: the cost of verifying a token, and of resolving the organization."""

import json
import uuid
from datetime import UTC, datetime
from itertools import cycle
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import ECAlgorithm

from scripts.bench.figure import Effort, Figure, alternate, at_most
from tenancy.rules.access_tokens.verify import KeySet
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.resolution import Mention, MentionSource, resolve
from tenancy.rules.tenant import CallerKind, Tenant

ISSUER: Final = "https://api.attribution.example"
BASE_DOMAIN: Final = "attribution.example"
LIFE_SECONDS: Final = 3600
TOKENS: Final = 100
BLOCK: Final = 100
AGAIN_SECONDS: Final = 0.001
FIRST_SECONDS: Final = 0.002
NOW: Final = datetime.now(UTC)
ORGANIZATION_ID: Final = uuid.uuid4()
USER_ID: Final = uuid.uuid4()


def measure(effort: Effort) -> Figure:
    """Measure a remembered and a new token and the resolution, each against a bare verification."""
    key = generate_private_key(SECP256R1())
    document = json.dumps({"keys": [{**_public(key), "kid": "bench", "alg": "ES256"}]})
    count = effort.size(TOKENS)
    tokens = [jwt.encode(_claims(), key, algorithm="ES256", headers={"kid": "bench"}) for _ in range(count)]
    remembering = KeySet.from_jwks(document, issuer=ISSUER, audience=ISSUER)
    known = cycle(tokens)

    def first_time() -> float:
        def verify_all() -> None:
            fresh = KeySet.from_jwks(document, issuer=ISSUER, audience=ISSUER)
            for token in tokens:
                fresh.verify(token, now=NOW)

        return effort.processor_seconds(verify_all) / len(tokens)

    def again() -> float:
        return effort.processor_seconds(lambda: remembering.verify(next(known), now=NOW), block=BLOCK)

    def signature() -> float:
        public, signed = key.public_key(), key.sign(tokens[0].encode(), ECDSA(SHA256()))
        return effort.processor_seconds(lambda: public.verify(signed, tokens[0].encode(), ECDSA(SHA256())))

    def resolution() -> float:
        return effort.processor_seconds(lambda: resolve(_tenant(), _mentions(), base_domain=BASE_DOMAIN), block=BLOCK)

    return Figure(
        name="identity",
        unit="seconds of processor time, less is better",
        measured="KeySet.verify of a token that was verified before, and of a new one; resolve of a request that names "
        "its organization by header, host and query.",
        reference="the bare verification of an ES256 signature by cryptography",
        comparisons=[
            alternate("token again", effort, again, signature, at_most(AGAIN_SECONDS, of="measured")),
            alternate("new token", effort, first_time, signature, at_most(FIRST_SECONDS, of="measured")),
            alternate("resolution", effort, resolution, signature),
        ],
    )


def _public(key: Any) -> dict[str, Any]:  # noqa: ANN401 - a class of the library
    public: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return public


def _claims() -> dict[str, Any]:
    now = int(NOW.timestamp())
    return {
        "sub": str(USER_ID),
        "user_id": str(USER_ID),
        "organization_id": str(ORGANIZATION_ID),
        "email": "admin@acme.example",
        "role": "analyst",
        "permissions": ["stats:read", "usage:read"],
        "iss": ISSUER,
        "aud": ISSUER,
        "iat": now,
        "exp": now + LIFE_SECONDS,
        "jti": str(uuid.uuid4()),
        "token_use": "access",
        "epoch": "0.0",
    }


def _tenant() -> Tenant:
    return Tenant(
        organization_id=ORGANIZATION_ID,
        subdomain="acme",
        scopes=PERMISSIONS,
        credential_id=USER_ID,
        kind=CallerKind.PERSON,
    )


def _mentions() -> list[Mention]:
    return [
        Mention(source=MentionSource.HEADER, text=str(ORGANIZATION_ID)),
        Mention(source=MentionSource.HOST, text=f"acme.{BASE_DOMAIN}:443"),
        Mention(source=MentionSource.QUERY, text=str(ORGANIZATION_ID)),
    ]
