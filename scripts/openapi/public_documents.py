"""Schemas of the OpenAPI document and of the public documents about access tokens."""

from typing import Final

from scripts.openapi.headers import TEXT
from tenancy.rules.access_tokens.public_keys import MAX_KEYS
from tenancy.rules.access_tokens.token_keys import MAX_PUBLIC_KEYS

OBJECT: Final = {"type": "object"}
DOCUMENT: Final = {
    "type": "object",
    "description": "An OpenAPI document. The OpenAPI specification describes its members.",
    "required": ["openapi", "info", "jsonSchemaDialect", "servers", "tags", "paths", "components"],
    "properties": {
        "openapi": {"type": "string", "pattern": r"^3\.1\."},
        "info": {
            "type": "object",
            "required": ["title", "version", "description"],
            "properties": {"title": TEXT, "version": TEXT, "description": TEXT},
        },
        "jsonSchemaDialect": {"type": "string", "format": "uri"},
        "servers": {"type": "array", "items": OBJECT},
        "tags": {"type": "array", "items": OBJECT},
        "paths": {"type": "object", "additionalProperties": OBJECT},
        "components": OBJECT,
    },
}
SHORT_DOCUMENT: Final = {
    "openapi": "3.1.1",
    "info": {"title": "Tenancy API", "version": "1.0.0", "description": "The API of an attribution platform."},
    "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
    "servers": [{"url": "/v1"}],
    "tags": [{"name": "Health"}],
    "paths": {"/health": {"get": {"operationId": "get_health", "responses": {"200": {"description": "Done."}}}}},
    "components": {},
}
ALGORITHM: Final = {"type": "string", "enum": ["ES256", "RS256"]}
KEY_SET: Final = {
    "type": "object",
    "description": "A JSON Web Key Set (RFC 7517).",
    "required": ["keys"],
    "properties": {
        "keys": {
            "type": "array",
            "maxItems": MAX_PUBLIC_KEYS + MAX_KEYS,
            "items": {
                "type": "object",
                "required": ["kid", "alg", "use", "kty"],
                "properties": {
                    "kid": {"type": "string"},
                    "alg": ALGORITHM,
                    "use": {"type": "string", "const": "sig"},
                    "kty": {"type": "string", "enum": ["EC", "RSA"]},
                    "crv": {"type": "string", "const": "P-256"},
                    "x": {"type": "string"},
                    "y": {"type": "string"},
                    "n": {"type": "string"},
                    "e": {"type": "string"},
                },
            },
        }
    },
}
DISCOVERY: Final = {
    "type": "object",
    "description": "A discovery document (OpenID Connect Discovery 1.0) with the members that are true of this API.",
    "required": ["issuer", "jwks_uri", "id_token_signing_alg_values_supported"],
    "properties": {
        "issuer": {"type": "string", "format": "uri"},
        "jwks_uri": {"type": "string", "format": "uri"},
        "id_token_signing_alg_values_supported": {"type": "array", "maxItems": 2, "items": ALGORITHM},
    },
}
EXAMPLE_KEY_SET: Final = {
    "keys": [
        {
            "kid": "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
            "alg": "ES256",
            "use": "sig",
            "kty": "EC",
            "crv": "P-256",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        }
    ]
}
EXAMPLE_DISCOVERY: Final = {
    "issuer": "https://api.attribution.example",
    "jwks_uri": "https://api.attribution.example/v1/.well-known/jwks.json",
    "id_token_signing_alg_values_supported": ["ES256"],
}
