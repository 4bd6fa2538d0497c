"""The tasks of the state machine that serves the API at custom domains.

The state machine is functions/domains/serve_domain.asl.json.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.gateway.task import Task, serve_tasks
from tenancy.rules.custom_domains import ServedApi
from tenancy.rules.durations import CERTIFICATE_RECORD_SECONDS, DOMAIN_POLL_INTERVAL
from tenancy.settings import Settings
from tenancy.use_cases.domains.current_claim import Attempt, ClaimBusyError, OutdatedAttemptError
from tenancy.use_cases.domains.provision_custom_domain import (
    Outcome,
    attach_domain,
    check_certificate,
    check_records,
    check_routing,
    request_certificate,
)
from tenancy.use_cases.domains.release_custom_domain import release_custom_domain
from tenancy.wiring import Wiring

STAGE: Final = "v1"

logger = Logger()
settings = Settings.from_env("API_ID", "BASE_DOMAIN", "ENDPOINT_ACCESS_MODE", "FETCH_FUNCTION", "HOSTED_ZONE_ID")
wiring = Wiring(settings)
stores, fetcher = wiring.domain_stores, wiring.fetcher
served_api = ServedApi(api_id=settings.api_id, stage=STAGE, access_mode=settings.endpoint_access_mode)


def check_records_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Look for the TXT record."""
    return result_of(check_records(stores, fetcher, parse_attempt(event), now=datetime.now(UTC)))


def request_certificate_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Request the certificate. ACM needs some seconds until it knows the record that validates it."""
    outcome = request_certificate(stores, parse_attempt(event), now=datetime.now(UTC))
    return {"outcome": outcome.value, "wait_seconds": CERTIFICATE_RECORD_SECONDS}


def check_certificate_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Read the state of the certificate."""
    return result_of(check_certificate(stores, parse_attempt(event), now=datetime.now(UTC)))


def attach_domain_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Attach the domain to API Gateway."""
    return result_of(attach_domain(stores, served_api, parse_attempt(event), now=datetime.now(UTC)))


def check_routing_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Look for the CNAME record, and serve requests at the domain if it is there."""
    return result_of(check_routing(stores, fetcher, parse_attempt(event), now=datetime.now(UTC)))


def release_domain_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the resources of a domain that is withdrawn or removed."""
    release_custom_domain(stores, parse_attempt(event), now=datetime.now(UTC))
    return {}


# These names must stay: executions of an older definition may wait for a record.
TASKS: dict[str, Task] = {
    "check_records": check_records_task,
    "request_certificate": request_certificate_task,
    "check_certificate": check_certificate_task,
    "attach_domain": attach_domain_task,
    "check_routing": check_routing_task,
    "release_domain": release_domain_task,
}


def handler(event: dict[str, Any], _context: object) -> Any:  # noqa: ANN401 - a task's
    """Run one task of one attempt."""
    result = serve_tasks(TASKS, event, (ClaimBusyError, OutdatedAttemptError))
    logger.info(
        "task done",
        task=event["task"],
        organization_id=event["organization_id"],
        claim_id=event["claim_id"],
        outcome=result.get("outcome"),
    )
    return result


def result_of(outcome: Outcome) -> dict[str, Any]:
    """Return the result of a task for the state machine."""
    return {"outcome": outcome.value, "wait_seconds": int(DOMAIN_POLL_INTERVAL.total_seconds())}


def parse_attempt(event: Mapping[str, Any]) -> Attempt:
    """Return the attempt that a task belongs to."""
    return Attempt(
        organization_id=UUID(event["organization_id"]),
        claim_id=UUID(event["claim_id"]),
        number=int(event["attempt"]),
        execution=event["execution"],
    )
