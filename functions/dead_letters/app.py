"""Dead letters of an organization, for the operator: list them by cause and send them back."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.errors import ConflictError, ErasedError, TransitionNotAllowedError
from tenancy.gateway.answer_types import PageAnswer
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.dead_letters import (
    DeadLettersQuery,
    LetterGroupAnswer,
    RedrivenAnswer,
    letter_page_document,
)
from tenancy.gateway.parameters import Id
from tenancy.gateway.resolver import api, operator_of, request_of
from tenancy.gateway.rights import for_operators
from tenancy.gateway.trail import actor_of
from tenancy.rules.durations import REDRIVE_WORK_TIME_SECONDS
from tenancy.settings import Settings
from tenancy.use_cases.dead_letters.read_dead_letters import read_dead_letters
from tenancy.use_cases.dead_letters.redrive import RedriveTargets, redrive_dead_letters
from tenancy.wiring import Wiring

settings = Settings.from_env(
    "API_HOST",
    "AUDIT_QUEUE_URL",
    "BASE_DOMAIN",
    "DEAD_LETTERS_BUCKET",
    "EVENTS_QUEUE_URL",
    "REDIS_PATIENCE_MS",
    "UPGRADE_URL",
)
wiring = Wiring(settings)
platform_db = wiring.platform_database
targets = RedriveTargets(objects=wiring.dead_letter_objects, events=wiring.event_redrive, audit=wiring.audit_redrive)
app = api()


@app.get("/organizations/<organization_id>/dead-letters")
@for_operators
@answers(PageAnswer[LetterGroupAnswer], ErasedError)
def list_by_cause(organization_id: Id, query: Annotated[DeadLettersQuery, Query()]) -> dict[str, Any]:
    """List the dead letters of an organization by kind and cause, without their bodies."""
    page = read_dead_letters(
        platform_db, organization_id, cursor=query.cursor, limit=query.limit, now=datetime.now(UTC)
    )
    return letter_page_document(page)


@app.post("/organizations/<organization_id>/dead-letters/redrive")
@for_operators
@answers(RedrivenAnswer, ConflictError, TransitionNotAllowedError, ErasedError)
def redrive(organization_id: Id) -> dict[str, Any]:
    """Send the dead letters of an organization back to their queues, each once."""
    operator = operator_of(app)
    ends_at = time.monotonic() + REDRIVE_WORK_TIME_SECONDS
    done = redrive_dead_letters(
        platform_db,
        targets,
        organization_id,
        actor_of(request_of(app), operator),
        has_time=lambda: time.monotonic() < ends_at,
        now=datetime.now(UTC),
    )
    return {"redriven": done.redriven, "waiting": done.waiting}


handler = wiring.handler(app, platform_db)
