"""Held events of an organization, for the operator: count them and release them."""

from datetime import UTC, datetime
from typing import Any

from tenancy.errors import ConflictError, ErasedError, TransitionNotAllowedError
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.held_events import HeldAnswer, ReleasedAnswer
from tenancy.gateway.parameters import Id
from tenancy.gateway.resolver import api, operator_of, request_of
from tenancy.gateway.rights import for_operators
from tenancy.gateway.trail import actor_of
from tenancy.settings import Settings
from tenancy.use_cases.held_events.release_held import count_held_by_reason, release_all
from tenancy.wiring import Wiring

settings = Settings.from_env("API_HOST", "AUDIT_QUEUE_URL", "BASE_DOMAIN", "REDIS_PATIENCE_MS", "UPGRADE_URL")
wiring = Wiring(settings)
platform_db, redis = wiring.platform_database, wiring.request_redis
clickhouse = wiring.clickhouse_writer()
app = api()


@app.get("/organizations/<organization_id>/held-events")
@for_operators
@answers(HeldAnswer, ErasedError)
def count_all(organization_id: Id) -> dict[str, Any]:
    """Count the held events of an organization by reason."""
    reasons = count_held_by_reason(platform_db, clickhouse(), organization_id, now=datetime.now(UTC))
    return {"count": sum(reasons.values()), "reasons": dict(reasons)}


@app.post("/organizations/<organization_id>/held-events/release")
@for_operators
@answers(ReleasedAnswer, ConflictError, TransitionNotAllowedError, ErasedError)
def release(organization_id: Id) -> dict[str, Any]:
    """Release the held events of an organization that are due, even if they exceed its quota."""
    operator = operator_of(app)
    actor = actor_of(request_of(app), operator)
    done = release_all(platform_db, clickhouse(), redis, organization_id, actor, now=datetime.now(UTC))
    return {"released": done.released, "waiting": done.waiting}


handler = wiring.handler(app, platform_db)
