"""Hourly: events -> daily statistics and tenant_usage; what audit logs no longer keep is cut off."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tenancy.settings import Settings
from tenancy.stores.aws import Aws
from tenancy.stores.clickhouse import Client, connect
from tenancy.stores.postgres import Database
from tenancy.stores.secrets import CLICKHOUSE, PLATFORM_DATABASE, Secrets
from tenancy.stores.signer import Signer
from tenancy.use_cases.cut_audit import cut_audit_logs
from tenancy.use_cases.roll_up import roll_up

QUERY_TIMEOUT_SECONDS = 800  # the function has 900

logger = Logger()
settings = Settings.from_env()
secrets = Secrets(Aws("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
platform_db = Database(lambda: secrets.get_secret(PLATFORM_DATABASE))
signer = Signer(Aws("kms", settings.region, settings.aws_endpoint_url), settings.signing_key_id)


@cache
def clickhouse() -> Client:
    """Return the client; made at the first run, kept for the life of the process."""
    return connect(secrets.get_secret(CLICKHOUSE), timeout_seconds=QUERY_TIMEOUT_SECONDS)


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Roll up once; what the schedule sends does not matter."""
    now = datetime.now(UTC)
    done = roll_up(platform_db, clickhouse(), now=now)
    cut = cut_audit_logs(platform_db, signer, now=now)
    logger.info("rolled up", ran=done.ran, organizations=done.organizations, days=done.days, audit_entries_cut=cut)
    return {"ran": done.ran, "organizations": done.organizations, "days": done.days, "audit_entries_cut": cut}
