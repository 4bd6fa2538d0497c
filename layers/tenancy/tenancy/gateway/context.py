"""The caller as the authorizer passes it to the functions: a flat map of strings."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import repeat
from typing import Any, Final
from uuid import UUID

from tenancy.errors import UnauthenticatedError
from tenancy.rules.tenant import Caller, CallerKind, Operator, RateBucket, Tenant

KNOWN_CALLERS: Final = 1_000
MEMBERS: Final = (
    "kind",
    "credential_id",
    "expires_at",
    "organization_id",
    "subdomain",
    "bucket",
    "epoch",
    "scopes",
    "app_id",
    "session_id",
)
NO_MEMBER: Final = object()
PERSON_EPOCH: Final = re.compile(r"[0-9]+\.[0-9]+")  # a person's revocation counts, `organization.user`


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
        if caller.app_id is not None:
            context["app_id"] = str(caller.app_id)
        if caller.session_id is not None:
            context["session_id"] = str(caller.session_id)
    return context


def parse_context(context: Mapping[str, str], *, now: datetime) -> Caller:
    """Return the caller that the authorizer has authenticated.

    *kind* names the principal. Without it, without its members, or with members that do not belong to it, there is no
    caller: a missing organization never makes an operator, and a person without an epoch would outlive a revocation.
    API Gateway caches the authorizer's answer, so the expiry is checked again.

    Raises:
        UnauthenticatedError: the context has no caller, or the credential has expired since.
    """
    try:
        caller = _caller(tuple(map(context.get, MEMBERS, repeat(NO_MEMBER))))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnauthenticatedError from error
    if caller.expires_at is not None and caller.expires_at <= now:
        raise UnauthenticatedError
    return caller


@lru_cache(KNOWN_CALLERS)
def _caller(values: tuple[Any, ...]) -> Caller:
    """Return the caller with these *values* of `MEMBERS` in its context.

    It depends on nothing else, so the caller of equal values is kept. Its expiry is compared at each request.
    """
    context = {name: value for name, value in zip(MEMBERS, values, strict=True) if value is not NO_MEMBER}
    return _operator(context) if context["kind"] == CallerKind.OPERATOR else _tenant(context)


def _operator(context: Mapping[str, str]) -> Operator:
    if "organization_id" in context:
        raise ValueError("an operator has no organization")
    return Operator(credential_id=UUID(context["credential_id"]), expires_at=_expiry(context))


def _tenant(context: Mapping[str, str]) -> Tenant:
    kind, epoch, expires_at = CallerKind(context["kind"]), context["epoch"], _expiry(context)
    if kind is CallerKind.PERSON and (expires_at is None or PERSON_EPOCH.fullmatch(epoch) is None):
        raise ValueError("a person has an epoch and an expiry")
    if kind is CallerKind.KEY and epoch:
        raise ValueError("a key has no epoch")
    if kind is CallerKind.KEY and "session_id" in context:
        raise ValueError("a key has no session")
    if kind is CallerKind.PERSON and "app_id" in context:
        raise ValueError("a person has no app")
    return Tenant(
        organization_id=UUID(context["organization_id"]),
        subdomain=context["subdomain"],
        scopes=frozenset(context["scopes"].split()),
        credential_id=UUID(context["credential_id"]),
        kind=kind,
        bucket=RateBucket(context["bucket"]),
        epoch=epoch,
        expires_at=expires_at,
        app_id=UUID(context["app_id"]) if "app_id" in context else None,
        session_id=UUID(context["session_id"]) if "session_id" in context else None,
    )


def _expiry(context: Mapping[str, str]) -> datetime | None:
    return datetime.fromtimestamp(int(context["expires_at"]), UTC) if "expires_at" in context else None
