"""Rotate the keys of access tokens each hour, and withdraw one by hand.

A deploy makes the first keys.
"""

from datetime import UTC, datetime
from typing import Any, Final

from aws_lambda_powertools import Logger

from tenancy.gateway.custom_resource import serve_custom_resource
from tenancy.rules.access_tokens.token_keys import TokenKeys, TokenKeysError
from tenancy.settings import Settings
from tenancy.use_cases.keys.rotate_token_keys import rotate_token_keys, withdraw_token_key
from tenancy.wiring import Wiring

WITHDRAW: Final = "withdraw"
SCHEDULED: Final = "detail-type"  # a member of the schedule's event

logger = Logger()
settings = Settings.from_env()
wiring = Wiring(settings)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Withdraw the key that the event names, or store the keys that are due.

    A misspelled `withdraw` is an error, because the key would still verify.

    Raises:
        TokenKeysError: the event has another form, or no key has the id. Nothing was changed.
        SecretChangedError: other runs changed the secrets meanwhile.
        UnavailableError: Secrets Manager is unreachable.
    """
    if "RequestType" in event:
        return serve_custom_resource(event, "token-keys", lambda: ids_of(rotate()))
    if set(event) == {WITHDRAW} and isinstance(event[WITHDRAW], str):
        return ids_of(withdraw(event[WITHDRAW]))
    if event and SCHEDULED not in event:
        raise TokenKeysError('Expected {"withdraw": "<id of a key>"}, or {} to store the keys that are due.')
    return ids_of(rotate())


def rotate() -> TokenKeys:
    """Store the keys that are due."""
    keys = rotate_token_keys(wiring.secrets, now=datetime.now(UTC))
    logger.info("token keys", result=ids_of(keys))
    return keys


def withdraw(kid: str) -> TokenKeys:
    """Withdraw the key *kid*."""
    keys = withdraw_token_key(wiring.secrets, kid, now=datetime.now(UTC))
    logger.warning("token key withdrawn", kid=kid, result=ids_of(keys))
    return keys


def ids_of(keys: TokenKeys) -> dict[str, Any]:
    """Return the ids of the keys for the caller and the log."""
    return {
        "Current": keys.signing.current.kid if keys.signing else None,
        "Next": keys.signing.next.kid if keys.signing else None,
        "Verifying": [key.kid for key in keys.verifying.keys],
        "Withdrawn": list(keys.verifying.withdrawn),
    }
