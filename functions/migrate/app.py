"""On deploy, from inside the VPC: brings the schemas to this bundle's version, makes the first platform key."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger

from tenancy.gateway.custom_resource import serve_custom_resource
from tenancy.rules.durations import MIGRATION_QUERY_TIMEOUT_SECONDS
from tenancy.settings import Settings
from tenancy.use_cases.schema.migrate import ensure_platform_key, migrate
from tenancy.wiring import Wiring

LAYERS = "/opt"  # where Lambda mounts layers/migrations; emulators put layers on the path instead

logger = Logger()
settings = Settings.from_env()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Migrate, for CloudFormation or by hand."""
    return serve_custom_resource(event, "schemas", migrate_all)


def migrate_all() -> dict[str, Any]:
    """Bring both schemas up to date and return how many migrations that took."""
    wiring = Wiring(settings)
    with (
        closing(wiring.owner_database) as owner_db,
        closing(wiring.clickhouse_writer(timeout_seconds=MIGRATION_QUERY_TIMEOUT_SECONDS)()) as client,
    ):
        migrated = migrate(owner_db, client, migrations_folder())
        ensure_platform_key(owner_db, wiring.secrets)
    logger.info("migrated", postgres=list(migrated.postgres), clickhouse=list(migrated.clickhouse))
    if migrated.skipped:
        logger.warning("ClickHouse lets us manage no access: no row policies", skipped=list(migrated.skipped))
    return {
        "Postgres": len(migrated.postgres),
        "ClickHouse": len(migrated.clickhouse),
        "Skipped": len(migrated.skipped),
    }


def migrations_folder() -> Path:
    """Return the folder of layers/migrations."""
    return next(
        Path(folder)
        for folder in (LAYERS, *sys.path)
        if folder and (Path(folder) / "postgres" / "0001_organizations.sql").exists()
    )
