"""Who calls, for API Gateway: a credential becomes a policy, the caller's context and the key that meters it."""

from datetime import UTC, datetime
from typing import Any, Final

from aws_lambda_powertools import Logger

from tenancy.errors import UnauthenticatedError
from tenancy.gateway.headers import AUTHORIZATION, parse_header_values
from tenancy.gateway.policy import allow_policy
from tenancy.settings import Settings
from tenancy.use_cases.keys.authenticate import authenticate
from tenancy.wiring import Wiring

# What an answer depends on: API Gateway keeps it for every request that has the same. The template's `Identity` names
# the same headers, and a test holds both together; every other check is made behind this function.
IDENTITY_SOURCES: Final = (AUTHORIZATION,)

logger = Logger()
settings = Settings.from_env("PLATFORM_GATEWAY_KEY", "TOKEN_ISSUER")
wiring = Wiring(settings)
db = wiring.database


class UnauthorizedError(Exception):
    """API Gateway turns an error with the message `Unauthorized` into its 401; every other one is a fault (503)."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer API Gateway's REQUEST authorizer."""
    values = parse_header_values(event)
    identity = {name: values.get(name, ()) for name in IDENTITY_SOURCES}
    try:
        authenticated = authenticate(db, wiring.key_set, identity[AUTHORIZATION], now=datetime.now(UTC))
    except UnauthenticatedError as error:
        logger.info("unauthenticated", request_id=event["requestContext"]["requestId"])
        raise UnauthorizedError("Unauthorized") from error
    gateway_key = authenticated.gateway_key or settings.platform_gateway_key
    logger.info("authenticated", credential_id=str(authenticated.caller.credential_id))
    return allow_policy(event["methodArn"], authenticated.caller, gateway_key)
