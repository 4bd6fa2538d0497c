"""API Gateway's authorizer: a credential becomes a policy, a context and a usage-plan key."""

from datetime import UTC, datetime
from typing import Any, Final

from aws_lambda_powertools import Logger

from tenancy.errors import UnauthenticatedError
from tenancy.gateway.headers import AUTHORIZATION, parse_header_values
from tenancy.gateway.metrics import AUTHORIZER_FAULT, count_faults
from tenancy.gateway.policy import allow_policy
from tenancy.settings import Settings
from tenancy.use_cases.keys.authenticate import authenticate
from tenancy.wiring import Wiring

# API Gateway caches an answer by the values of these headers. So the answer must depend on nothing else in the request:
# all other checks are made by the handlers. A test compares this tuple with `Identity` in the template.
IDENTITY_SOURCES: Final = (AUTHORIZATION,)

logger = Logger()
settings = Settings.from_env("PLATFORM_GATEWAY_KEY", "TOKEN_ISSUER")
wiring = Wiring(settings)
db = wiring.database


class UnauthorizedError(Exception):
    """The error that API Gateway answers with 401.

    Every other error is a fault, which is answered with 503.
    """


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer a REQUEST authorizer call of API Gateway.

    Faults are counted here. API Gateway counts its 503 as a 4XXError, because the template changes the status, and
    Lambda counts a refused credential as an error as well.
    """
    with count_faults(AUTHORIZER_FAULT, expected=UnauthorizedError):
        return answer(event)


def answer(event: dict[str, Any]) -> dict[str, Any]:
    """Return the policy of the caller.

    Raises:
        UnauthorizedError: the credential is missing, bad, expired or revoked.
        UnavailableError: the database or Secrets Manager is unreachable.
    """
    values = parse_header_values(event)
    identity = {name: values.get(name, ()) for name in IDENTITY_SOURCES}
    try:
        authenticated = authenticate(db, wiring.key_set, identity[AUTHORIZATION], now=datetime.now(UTC))
    except UnauthenticatedError as error:
        logger.info("unauthenticated", request_id=event["requestContext"]["requestId"])
        raise UnauthorizedError("Unauthorized") from error  # API Gateway looks for exactly this message
    gateway_key = authenticated.gateway_key or settings.platform_gateway_key
    logger.info("authenticated", credential_id=str(authenticated.caller.credential_id))
    return allow_policy(event["methodArn"], authenticated.caller, gateway_key)
