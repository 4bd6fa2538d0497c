"""The caller as the authorizer passes it to the functions: a flat map of strings."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from tenancy.errors import UnauthenticatedError
from tenancy.rules.tenant import Caller, CallerKind, Operator, RateBucket, Tenant


def to_context(caller: Caller) -> dict[str, str]:
    """Return *caller* as the context of the authorizer's answer.

    API Gateway passes only strings, numbers and booleans.
    """
    context = {"credential_id": str(caller.credential_id)}
    if caller.expires_at is not None:
        context["expires_at"] = str(int(caller.expires_at.timestamp()))
    if isinstance(caller, Tenant):
        context |= {
            "organization_id": str(caller.organization_id),
            "subdomain": caller.subdomain,
            "kind": caller.kind,
            "bucket": caller.bucket,
            "epoch": caller.epoch,
            "scopes": " ".join(sorted(caller.scopes)),
        }
    return context


def parse_context(context: Mapping[str, str], *, now: datetime) -> Caller:
    """Return the caller that the authorizer has authenticated.

    API Gateway caches the authorizer's answer, so the expiry is checked again.

    Raises:
        UnauthenticatedError: the context has no caller, or the credential has expired since.
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
        scopes=frozenset(context["scopes"].split()),
        credential_id=UUID(context["credential_id"]),
        kind=CallerKind(context["kind"]),
        bucket=RateBucket(
            context.get("bucket", RateBucket.MANAGEMENT)
        ),  # missing in cached answers of an older version
        epoch=context.get("epoch", ""),
        expires_at=expires_at,
    )
