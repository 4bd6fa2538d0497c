"""Every minute: write exports and erase data subjects."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tenancy.errors import UnavailableError
from tenancy.rules.durations import SCHEDULED_QUERY_TIMEOUT_SECONDS
from tenancy.settings import Settings
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.secrets import CLICKHOUSE, CLICKHOUSE_READER, DATABASE, PLATFORM_DATABASE, Secrets
from tenancy.stores.clickhouse.client import Client, connect
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.schedule.privacy_jobs import PrivacyJobStores, run_privacy_jobs

TIME_SECONDS = 600  # after which nothing is begun

logger = Logger()
settings = Settings.from_env()
secrets = Secrets(AwsClient("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
platform_db = Database(lambda: secrets.get_secret(PLATFORM_DATABASE))
db = Database(lambda: secrets.get_secret(DATABASE))


@cache
def writer() -> Client:
    """Return the client that deletes; made when there is something to erase, kept for the life of the process."""
    return connect(secrets.get_secret(CLICKHOUSE), timeout_seconds=SCHEDULED_QUERY_TIMEOUT_SECONDS)


@cache
def reader() -> Client:
    """Return the client that reads tenants' tables and nothing else; made when there is something to export."""
    return connect(secrets.get_secret(CLICKHOUSE_READER), timeout_seconds=SCHEDULED_QUERY_TIMEOUT_SECONDS)


stores = PrivacyJobStores(
    platform_db=platform_db,
    db=db,
    writer=writer,
    reader=reader,
    exports=Exports(settings.region, settings.exports_bucket, path_style=settings.aws_endpoint_url is not None),
    writer_wait=settings.writer_wait,
)


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Do what is due; what the schedule sends does not matter.

    Raises:
        UnavailableError: a store is away; what it was needed for is due again in a minute.
    """
    ends_at = time.monotonic() + TIME_SECONDS
    done = run_privacy_jobs(stores, has_time=lambda: time.monotonic() < ends_at, clock=lambda: datetime.now(UTC))
    result = asdict(done)
    if any(result.values()):
        logger.info("privacy jobs", result=result)
    if done.put_off:
        raise UnavailableError("A store is away.")
    return result
