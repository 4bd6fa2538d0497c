"""Prepare the data stores that the stack makes: roles, connection URLs, and the protection of the database."""

from typing import Any, Final

from aws_lambda_powertools import Logger

from tenancy.gateway.custom_resource import serve_custom_resource
from tenancy.gateway.documents.data_stores import parse_data_stores, text_of
from tenancy.settings import Settings
from tenancy.use_cases.schema.data_store_access import prepare_data_stores
from tenancy.use_cases.schema.protect_database import protect_database, unprotect_after_failure
from tenancy.wiring import Wiring

PROTECTION: Final = "Custom::DatabaseProtection"

logger = Logger()
settings = Settings.from_env()
wiring = Wiring(settings)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Protect the database, or make roles and URLs, for CloudFormation or by hand."""
    properties = event.get("ResourceProperties", {})
    if event.get("ResourceType") == PROTECTION:
        return serve_custom_resource(
            event,
            "database-protection",
            lambda: protect_database(wiring.database_cluster(text_of(properties, "Cluster"))),
            undo=lambda: unprotect_after_failure(
                wiring.database_cluster(text_of(properties, "Cluster")), event["StackId"]
            ),
        )
    return serve_custom_resource(event, "data-store-access", lambda: prepare(properties))


def prepare(properties: dict[str, Any]) -> dict[str, Any]:
    """Make the roles of PostgreSQL, and write the connection URLs."""
    secrets = prepare_data_stores(wiring.secrets, parse_data_stores(properties))
    logger.info("data stores prepared", secrets=secrets)
    return {"Secrets": len(secrets)}
