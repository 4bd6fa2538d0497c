"""The only reader of the environment: one frozen value per process, cast and checked at start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

DEFAULT_REGION: Final = "eu-central-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the template hands to a function. Secrets are named here, never held.

    *secrets_prefix* and a name make a secret's id in Secrets Manager (docs/operations.md lists them);
    *aws_endpoint_url* is set on the local stack only. *redis_patience_seconds* is how long a request waits for Redis.
    *deletion_grace* is how long a deletion can be undone, *erasure_quiet* how long an erasure waits for writers,
    *recount_after* how long after it everything is counted once more.
    """

    region: str
    aws_endpoint_url: str | None
    secrets_prefix: str
    base_domain: str
    token_issuer: str
    events_queue_url: str
    dead_letters_url: str
    platform_gateway_key: str
    usage_plans_path: str
    audit_queue_url: str
    signing_key_id: str
    encryption_key_id: str
    mail_from: str
    exports_bucket: str
    redis_timeout_seconds: float
    deletion_grace: timedelta
    writer_wait: timedelta
    recount_after: timedelta
    state_machine_arn: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; a variable that this function's template entry omits is empty, and unused there."""
        return cls(
            region=environ.get("AWS_REGION", DEFAULT_REGION),
            aws_endpoint_url=environ.get("AWS_ENDPOINT_URL") or None,
            secrets_prefix=environ["SECRETS_PREFIX"],
            base_domain=environ.get("BASE_DOMAIN", "").lower(),
            token_issuer=environ.get("TOKEN_ISSUER", ""),
            events_queue_url=environ.get("EVENTS_QUEUE_URL", ""),
            dead_letters_url=environ.get("DEAD_LETTERS_URL", ""),
            platform_gateway_key=environ.get("PLATFORM_GATEWAY_KEY", ""),
            usage_plans_path=environ.get("USAGE_PLANS_PATH", ""),
            audit_queue_url=environ.get("AUDIT_QUEUE_URL", ""),
            signing_key_id=environ.get("SIGNING_KEY_ID", ""),
            encryption_key_id=environ.get("SEALING_KEY_ID", ""),
            mail_from=environ.get("MAIL_FROM", ""),
            exports_bucket=environ.get("EXPORTS_BUCKET", ""),
            redis_timeout_seconds=int(environ.get("REDIS_PATIENCE_MS", "0")) / 1000,
            deletion_grace=timedelta(seconds=int(environ.get("DELETION_GRACE_SECONDS", "0"))),
            writer_wait=timedelta(seconds=int(environ.get("ERASURE_QUIET_SECONDS", "0"))),
            recount_after=timedelta(seconds=int(environ.get("RECOUNT_AFTER_SECONDS", "0"))),
            state_machine_arn=environ.get("STATE_MACHINE_ARN", ""),
        )
