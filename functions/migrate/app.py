"""Migrate both databases on deploy, from inside the VPC, and create the first platform key."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger

from tenancy.gateway.custom_resource import serve_custom_resource
from tenancy.rules.durations import MIGRATION_QUERY_TIMEOUT_SECONDS
from tenancy.settings import Settings
from tenancy.use_cases.schema.migrate import DatabaseRoles, prepare_databases
from tenancy.wiring import Wiring

LAYERS = "/opt"  # Lambda mounts layers/migrations here. Emulators put layers on sys.path instead.

logger = Logger()
settings = Settings.from_env()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Migrate, for CloudFormation or by hand."""
    return serve_custom_resource(event, "schemas", migrate_all)


def migrate_all() -> dict[str, Any]:
    """Migrate all databases and return how many migrations were applied."""
    wiring = Wiring(settings)
    connect = wiring.clickhouse_writer(timeout_seconds=MIGRATION_QUERY_TIMEOUT_SECONDS)
    with (
        closing(wiring.owner_database) as owner,
        closing(wiring.authorizer_database) as authorizer,
    ):
        roles = DatabaseRoles(
            owner=owner, functions=wiring.database, platform=wiring.platform_database, authorizer=authorizer
        )
        applied = prepare_databases(roles, connect, wiring.secrets, migrations_folder())
    logger.info("migrated", postgres=list(applied.postgres), clickhouse=list(applied.clickhouse))
    if applied.skipped:
        skipped = list(applied.skipped)
        logger.warning("ClickHouse denied access management. Row policies were not created.", skipped=skipped)
    return {
        "Postgres": len(applied.postgres),
        "ClickHouse": len(applied.clickhouse),
        "Skipped": len(applied.skipped),
    }


def migrations_folder() -> Path:
    """Return the folder of layers/migrations."""
    return next(
        Path(folder)
        for folder in (LAYERS, *sys.path)
        if folder and (Path(folder) / "postgres" / "0001_organizations.sql").exists()
    )
