"""API Gateway's authorizer: a credential becomes a policy, a context and a usage-plan key."""

from datetime import UTC, datetime
from typing import Any, Final

from aws_lambda_powertools import Logger

from tenancy.errors import UnauthenticatedError
from tenancy.gateway.authorizer_request import AuthorizerRequest, parse_authorizer_request
from tenancy.gateway.headers import AUTHORIZATION
from tenancy.gateway.metrics import AUTHORIZER_FAULT, CREDENTIAL_REFUSED, count_failures
from tenancy.gateway.policy import allow_policy
from tenancy.settings import Settings
from tenancy.use_cases.keys.authenticate import Authenticated, authenticate
from tenancy.wiring import Wiring

# API Gateway caches an answer by the values of these headers. So the answer must depend on nothing else in the request:
# all other checks are made by the handlers. A test compares this tuple with `Identity` in the template.
IDENTITY_SOURCES: Final = (AUTHORIZATION,)

logger = Logger()
settings = Settings.from_env("PLATFORM_GATEWAY_KEY", "TOKEN_ISSUER")
wiring = Wiring(settings)
db = wiring.authorizer_database


class UnauthorizedError(Exception):
    """The error that API Gateway answers with 401.

    Every other error is a fault, which is answered with 503.
    """


def handler(event: object, _context: object) -> dict[str, Any]:
    """Answer a REQUEST authorizer call of API Gateway.

    An event without a valid credential is refused, also a malformed event. Refusals and faults are counted here. API
    Gateway counts the 503 of a fault as a 4XXError, because the template changes the status. Lambda counts refusals and
    faults as errors, and each run that could not start or was ended: these are the errors that are left.
    """
    with count_failures(fault=AUTHORIZER_FAULT, refusal=CREDENTIAL_REFUSED, refused=UnauthorizedError):
        return answer(event)


def answer(event: object) -> dict[str, Any]:
    """Return the policy of the caller.

    Raises:
        UnauthorizedError: the credential is missing, malformed, unknown, expired or revoked.
        UnavailableError: the database or Secrets Manager is unreachable.
    """
    request = parse_authorizer_request(event)
    try:
        authenticated = _authenticate(request)
    except UnauthenticatedError as error:
        logger.info("unauthenticated", request_id=request.request_id)
        raise UnauthorizedError("Unauthorized") from error  # API Gateway looks for exactly this message
    logger.info("authenticated", credential_id=str(authenticated.caller.credential_id))
    return allow_policy(request.stage_arn, authenticated, platform_gateway_key=settings.platform_gateway_key)


def _authenticate(request: AuthorizerRequest) -> Authenticated:
    if not request.stage_arn:  # no API that the policy could allow
        raise UnauthenticatedError
    identity = {name: request.header_values.get(name, ()) for name in IDENTITY_SOURCES}
    return authenticate(db, wiring.verify_token, identity[AUTHORIZATION], now=datetime.now(UTC))
