"""Public documents about access tokens: the key set, and the discovery document."""

from typing import Any

from tenancy.errors import NO_ROUTE_TEXT, NotFoundError
from tenancy.gateway.documents.token_keys import discovery_document, jwks_document, public_answer
from tenancy.gateway.http import Request, Response
from tenancy.gateway.query import require_known_query
from tenancy.gateway.serve import serve
from tenancy.settings import Settings
from tenancy.wiring import Wiring

settings = Settings.from_env("API_HOST", "TOKEN_ISSUER")
wiring = Wiring(settings)


def answer(request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Answer one request. The template lets no other route through."""
    match request.path:
        case "/.well-known/jwks.json":
            return get_key_set(request)
        case "/.well-known/openid-configuration":
            return get_discovery(request)
    raise NotFoundError(NO_ROUTE_TEXT)


def get_key_set(request: Request) -> Response:
    """Return the public keys of access tokens."""
    require_known_query(request)
    return public_answer(request, jwks_document(wiring.token_verifier.list_keys()))


def get_discovery(request: Request) -> Response:
    """Return the issuer of access tokens, and where its keys are."""
    require_known_query(request)
    keys = wiring.token_verifier.list_keys()
    return public_answer(request, discovery_document(settings.token_issuer, api_url(request), keys))


def api_url(request: Request) -> str:
    """Return the URL of the API. The local stack has no TLS."""
    scheme = "http" if settings.aws_endpoint_url else "https"
    return f"{scheme}://{request.find_api(settings.api_host)}"


handler = serve(answer)
