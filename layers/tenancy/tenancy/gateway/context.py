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
    context = {"credential_id": str(caller.credential_id), "kind": str(caller.kind)}
    if caller.expires_at is not None:
        context["expires_at"] = str(int(caller.expires_at.timestamp()))
    if isinstance(caller, Tenant):
        context |= {
            "organization_id": str(caller.organization_id),
            "subdomain": caller.subdomain,
            "bucket": caller.bucket,
            "epoch": caller.epoch,
            "scopes": " ".join(sorted(caller.scopes)),
        }
    return context


def parse_context(context: Mapping[str, str], *, now: datetime) -> Caller:
    """Return the caller that the authorizer has authenticated.

    *kind* names the principal. Without it, or with members that do not belong to it, there is no caller: a missing
    organization never makes an operator. API Gateway caches the authorizer's answer, so the expiry is checked again.

    Raises:
        UnauthenticatedError: the context has no caller, or the credential has expired since.
    """
    try:
        caller = _operator(context) if context["kind"] == CallerKind.OPERATOR else _tenant(context)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnauthenticatedError from error
    if caller.expires_at is not None and caller.expires_at <= now:
        raise UnauthenticatedError
    return caller


def _operator(context: Mapping[str, str]) -> Operator:
    if "organization_id" in context:
        raise ValueError("an operator has no organization")
    return Operator(credential_id=UUID(context["credential_id"]), expires_at=_expiry(context))


def _tenant(context: Mapping[str, str]) -> Tenant:
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
        expires_at=_expiry(context),
    )


def _expiry(context: Mapping[str, str]) -> datetime | None:
    return datetime.fromtimestamp(int(context["expires_at"]), UTC) if "expires_at" in context else None
