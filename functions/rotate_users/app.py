"""Rotate the users of PostgreSQL. Secrets Manager calls the function for each step."""

from typing import Any

from aws_lambda_powertools import Logger

from tenancy.rules.database_users import RotationRequest
from tenancy.settings import Settings
from tenancy.use_cases.schema.rotate_users import RotationStores, run_step
from tenancy.wiring import Wiring

logger = Logger()
settings = Settings.from_env()
wiring = Wiring(settings)
stores = RotationStores(
    versions=wiring.secret_versions,
    secrets=wiring.secrets,
    owner_db=wiring.owner_database,
    open_database=wiring.database_at,
)


def handler(event: dict[str, Any], _context: object) -> None:
    """Run the step that the event names.

    Raises:
        RotationError: the event has another form or names another secret, or the rotation cannot go on.
        AwsCallError: a secret does not exist, or the function lacks a permission.
        UnavailableError: Secrets Manager or PostgreSQL is unreachable, or PostgreSQL refuses the new user.
    """
    request = RotationRequest.parse(event, prefix=settings.secrets_prefix)
    run_step(stores, request)
    logger.info("rotation", secret=request.secret, step=request.step, version=request.version)
