"""The caller as it travels from the authorizer to the functions behind it: a flat map of strings."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from tenancy.errors import UnauthenticatedError
from tenancy.rules.tenant import Caller, CallerKind, Operator, RateBucket, Tenant
from tenancy.rules.tiers import Tier


def to_context(caller: Caller) -> dict[str, str]:
    """Flatten *caller* for the authorizer's answer; API Gateway carries strings, numbers and booleans only."""
    context = {"credential_id": str(caller.credential_id)}
    if caller.expires_at is not None:
        context["expires_at"] = str(int(caller.expires_at.timestamp()))
    if isinstance(caller, Tenant):
        context |= {
            "organization_id": str(caller.organization_id),
            "subdomain": caller.subdomain,
            "tier": caller.tier,
            "kind": caller.kind,
            "bucket": caller.bucket,
            "epoch": caller.epoch,
            "scopes": " ".join(sorted(caller.scopes)),
        }
    return context


def parse_context(context: Mapping[str, str], *, now: datetime) -> Caller:
    """Return the caller that the authorizer saw.

    The authorizer's answer is cached, so expiry is checked here again.

    Raises:
        UnauthenticatedError: there is no caller, or its credential has ended since.
    """
    if "credential_id" not in context:
        raise UnauthenticatedError
    expires_at = datetime.fromtimestamp(int(context["expires_at"]), UTC) if "expires_at" in context else None
    if expires_at is not None and expires_at <= now:
        raise UnauthenticatedError
    if "organization_id" not in context:
        return Operator(credential_id=UUID(context["credential_id"]), expires_at=expires_at)
    return Tenant(
        organization_id=UUID(context["organization_id"]),
        subdomain=context["subdomain"],
        tier=Tier(context["tier"]),
        scopes=frozenset(context["scopes"].split()),
        credential_id=UUID(context["credential_id"]),
        kind=CallerKind(context["kind"]),
        bucket=RateBucket(context.get("bucket", RateBucket.MANAGEMENT)),  # not in answers that an older authorizer gave
        epoch=context.get("epoch", ""),
        expires_at=expires_at,
    )
