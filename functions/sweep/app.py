"""Every minute: finish the effects that committed changes still owe, and seal the audit logs."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from tenancy.settings import Settings
from tenancy.stores.aws import Aws
from tenancy.stores.gateway_keys import GatewayKeys
from tenancy.stores.mail import Mailer
from tenancy.stores.postgres import Database
from tenancy.stores.secrets import PLATFORM_DATABASE, Secrets
from tenancy.use_cases.effects import World
from tenancy.use_cases.sweep import sweep

logger = Logger()
settings = Settings.from_env()
secrets = Secrets(Aws("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
platform_db = Database(lambda: secrets.get_secret(PLATFORM_DATABASE))
world = World(
    gateway_keys=GatewayKeys(settings.region, settings.usage_plans_path),
    mailer=Mailer(settings.region, settings.mail_from),
)


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Sweep once; what the schedule sends does not matter."""
    swept = sweep(platform_db, world, now=datetime.now(UTC))
    if swept is None:
        logger.info("another sweep runs")
        return {"ran": False}
    for organization_id, head in swept.sealed.items():  # a witness outside the database
        logger.info("sealed", organization_id=str(organization_id), sequence=head.sequence, seal=head.seal.hex())
    done, failed = list(swept.drained.done), list(swept.drained.failed)
    logger.info("swept", done=done, failed=failed, sealed=len(swept.sealed))
    return {"ran": True, "done": done, "failed": failed, "sealed": len(swept.sealed)}
