"""The public documents about access tokens: their keys and their issuer.

Sources: RFC 7517, 5 (key set), OpenID Connect Discovery 1.0, 3 (names of the members).
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import jwt
import msgspec

from tenancy.gateway.http import Request, Response, versioned_answer
from tenancy.rules.access_tokens.public_keys import public_jwk
from tenancy.rules.durations import KEY_SET_MAX_AGE_SECONDS


def jwks_document(keys: Iterable[jwt.PyJWK]) -> dict[str, Any]:
    """Return the key set of all *keys*, without private members."""
    return {"keys": [public_jwk(key) for key in keys]}


def discovery_document(issuer: str, api_url: str, keys: Iterable[jwt.PyJWK]) -> dict[str, Any]:
    """Return the members of the discovery document that are true of the API at *api_url*.

    No route issues ID tokens. The algorithms are those of access tokens: clients take the ones that they accept from
    this member.
    """
    return {
        "issuer": issuer,
        "jwks_uri": f"{api_url}/.well-known/jwks.json",
        "id_token_signing_alg_values_supported": sorted({str(key.algorithm_name) for key in keys}),
    }


def public_answer(request: Request, document: Mapping[str, Any]) -> Response:
    """Return *document*, which caches keep for a minute."""
    text = msgspec.json.encode(document).decode()
    version = sha256(text.encode()).hexdigest()
    return versioned_answer(request, text, version=version, max_age_seconds=KEY_SET_MAX_AGE_SECONDS)
