"""Who calls, for API Gateway: a credential becomes a policy, the caller's context and the key that meters it."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from tenancy.errors import UnauthenticatedError
from tenancy.gateway.headers import AUTHORIZATION, parse_header_values
from tenancy.gateway.policy import allow_policy
from tenancy.settings import Settings
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.secrets import DATABASE, JWKS, Secrets
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.keys.authenticate import authenticate

if TYPE_CHECKING:
    from tenancy.rules.tokens import KeySet

# What an answer depends on: API Gateway keeps it for every request that has the same. The template's `Identity` names
# the same headers, and a test holds both together; every other check is made behind this function.
IDENTITY_SOURCES: Final = (AUTHORIZATION,)

logger = Logger()
settings = Settings.from_env()
secrets = Secrets(AwsClient("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
db = Database(lambda: secrets.get_secret(DATABASE))


def key_set() -> "KeySet":
    """Return the public keys of people's tokens, as rotated as the secret is."""
    return parse_key_set(secrets.get_secret(JWKS))


@lru_cache(maxsize=1)  # a key set that was replaced verifies nothing any more, whatever it has verified before
def parse_key_set(document: str) -> "KeySet":
    """Return the keys in *document*; the library that knows them is imported only for a person's token."""
    from tenancy.rules.tokens import KeySet  # noqa: PLC0415

    return KeySet.from_jwks(document, issuer=settings.token_issuer, audience=settings.token_issuer)


class UnauthorizedError(Exception):
    """API Gateway turns an error with the message `Unauthorized` into its 401; every other one is a fault (503)."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer API Gateway's REQUEST authorizer."""
    values = parse_header_values(event)
    identity = {name: values.get(name, ()) for name in IDENTITY_SOURCES}
    try:
        authenticated = authenticate(db, key_set, identity[AUTHORIZATION], now=datetime.now(UTC))
    except UnauthenticatedError as error:
        logger.info("unauthenticated", request_id=event["requestContext"]["requestId"])
        raise UnauthorizedError("Unauthorized") from error
    gateway_key = authenticated.gateway_key or settings.platform_gateway_key
    logger.info("authenticated", credential_id=str(authenticated.caller.credential_id))
    return allow_policy(event["methodArn"], authenticated.caller, gateway_key)
