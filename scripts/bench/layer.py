"""A function whose one route does nothing, with the tenancy layer and without it."""

from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from scripts.bench.events import ORGANIZATION_ID
from scripts.bench.tenants import no_database
from tenancy.gateway.http import STAGE_PREFIX
from tenancy.gateway.resolver import api, handler_of, tenant_of
from tenancy.gateway.rights import for_tenants
from tenancy.gateway.serve import Handler, serve
from tenancy.gateway.trail import AuditTrail
from tenancy.rules.host_names import PlatformHosts
from tenancy.rules.permissions import USAGE_READ
from tenancy.stores.aws.audit_queue import AuditQueue
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.admission.domain_owners import DomainOwners

HOSTS: Final = PlatformHosts(base_domain="attribution.example")
REGION: Final = "eu-central-1"
PATH: Final = "/tenant"


def layer_handler(redis: Redis, aws_url: str) -> Handler:
    """Return the handler with the layer, which admits by *redis* and sends audit records to *aws_url*."""
    app = api()

    @app.get(PATH)
    @for_tenants(USAGE_READ)
    def show_tenant() -> dict[str, Any]:
        return {"organization_id": str(tenant_of(app).organization_id)}

    return handler_of(
        app,
        hosts=HOSTS,
        domain_owners=DomainOwners(no_database, HOSTS),
        upgrade_url=None,
        trail=AuditTrail(AuditQueue(AwsClient("sqs", REGION, aws_url), f"{aws_url}/audit")),
        gate=AdmissionGate(redis, no_database),
    )


def bare_handler() -> Handler:
    """Return the handler without the layer: parse the request, route it, answer, log."""
    app = APIGatewayRestResolver(enable_validation=True, strip_prefixes=[STAGE_PREFIX])

    @app.get(PATH)
    def show_tenant() -> dict[str, Any]:
        return {"organization_id": str(ORGANIZATION_ID)}

    return serve(lambda _, event, context: app.resolve(event, context))  # type: ignore[arg-type]
