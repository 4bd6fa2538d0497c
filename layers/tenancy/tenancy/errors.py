"""Every refusal that a client can see, with its HTTP status and stable code (docs: the API's refusals table)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

BODY: Final = "body"
PATH: Final = "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One field at fault: where it is (`events/3/revenue`), a stable code, and a sentence for a person."""

    location: str
    code: str
    message: str


class Refusal(Exception):  # noqa: N818 - the domain's word: a refusal is an answer, not a defect
    """A request that is answered with a problem document (RFC 9457) instead of a result.

    *detail* is a sentence for the caller; *errors* name the fields at fault; *retry_after* is in whole seconds.
    *sources* are the places in the request that name another organization than the credential's, for the audit log;
    *members* stand in the document beside those that every problem has.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal Server Error"
    sources: tuple[str, ...] = ()
    members: Mapping[str, object] = MappingProxyType({})

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError] = (), retry_after: int | None = None) -> None:
        """Say in one sentence what is refused and why."""
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.retry_after = retry_after


class InternalError(Refusal):
    """Our fault; the log has the request id."""


class MalformedRequestError(Refusal):
    """The bytes are no JSON, or no gzip."""

    status, code, title = 400, "malformed_request", "Malformed Request"


class UnauthenticatedError(Refusal):
    """No credential, or one that is bad, expired or revoked: which of them is not said."""

    status, code, title = 401, "unauthenticated", "Unauthorized"

    def __init__(self, detail: str = "A valid credential is needed.") -> None:
        """Say no more than the gateway does."""
        super().__init__(detail)


class QuotaExceededError(Refusal):
    """What the tier includes is used up; more is to be had with another tier, or next month."""

    status, code, title = 402, "quota_exceeded", "Quota Exceeded"

    def __init__(self, detail: str, *, tier: str, metric: str, limit: int, used: int, upgrade_url: str) -> None:
        """Name the *metric*, and how much of its *limit* is *used*."""
        super().__init__(detail)
        self.members = {"tier": tier, "metric": metric, "limit": limit, "used": used, "upgrade_url": upgrade_url}


class TenantMismatchError(Refusal):
    """Something in the request names another organization than the credential's."""

    status, code, title = 403, "tenant_mismatch", "Tenant Mismatch"

    def __init__(self, detail: str = "", sources: Sequence[str] = (BODY,)) -> None:
        """Say where another organization is named; the reader of an event knows only that it is in the body."""
        super().__init__(detail)
        self.sources = tuple(sources)


class ForbiddenError(Refusal):
    """The caller is known and lacks the permission."""

    status, code, title = 403, "forbidden", "Forbidden"


class OrganizationInactiveError(Refusal):
    """The organization is suspended or deleted."""

    status, code, title = 403, "organization_inactive", "Organization Inactive"


class NotFoundError(Refusal):
    """Nothing is there, or nothing that the caller may know of."""

    status, code, title = 404, "not_found", "Not Found"


class ForeignPathError(NotFoundError):
    """A tenant's credential on another's path: a mismatch, answered as if there were no such organization."""

    def __init__(self, sources: Sequence[str] = (PATH,)) -> None:
        """Answer what an organization that does not exist is answered with."""
        super().__init__("There is no such organization.")
        self.sources = tuple(sources)


class ErasedError(Refusal):
    """The organization was erased; its tombstone and its certificate are what is left."""

    status, code, title = 410, "erased", "Gone"

    def __init__(self, detail: str = "The organization was erased.") -> None:
        """Say no more than that."""
        super().__init__(detail)


class SubdomainTakenError(Refusal):
    """Another organization answers at that subdomain, or it is reserved."""

    status, code, title = 409, "subdomain_taken", "Subdomain Taken"

    def __init__(self, subdomain: str) -> None:
        """Name the *subdomain* that was asked for."""
        super().__init__(f"The subdomain {subdomain!r} is not available.")


class TransitionNotAllowedError(Refusal):
    """The organization is in a state from which there is no such change."""

    status, code, title = 409, "transition_not_allowed", "Transition Not Allowed"


class DowngradeBlockedError(Refusal):
    """The organization has more than the smaller tier includes; `blockers` say of what."""

    status, code, title = 409, "downgrade_blocked", "Downgrade Blocked"

    def __init__(self, blockers: Sequence[str]) -> None:
        """Name what has to be fewer first."""
        super().__init__(f"The organization has more than that tier includes: {', '.join(blockers)}.")
        self.members = {"blockers": list(blockers)}


class NotDeletedError(Refusal):
    """There is no deletion that could be undone."""

    status, code, title = 409, "not_deleted", "Not Deleted"


class RequestInProgressError(Refusal):
    """A request with the same `Idempotency-Key` is not done yet; the client should come back."""

    status, code, title = 409, "request_in_progress", "Request In Progress"

    def __init__(self, detail: str, *, retry_after: int = 10) -> None:
        """Ask for another try in *retry_after* seconds."""
        super().__init__(detail, retry_after=retry_after)


class ConflictError(Refusal):
    """What is there is in another state than the call needs."""

    status, code, title = 409, "conflict", "Conflict"


class TooLargeError(Refusal):
    """The body is larger than the route takes, counted after decoding."""

    status, code, title = 413, "too_large", "Content Too Large"


class InvalidError(Refusal):
    """Well-formed but wrong; `errors` says where."""

    status, code, title = 422, "invalid", "Unprocessable Content"


class IdempotencyKeyReusedError(Refusal):
    """The same `Idempotency-Key` came before, with another request."""

    status, code, title = 422, "idempotency_key_reused", "Idempotency Key Reused"


class RateLimitedError(Refusal):
    """More requests than the tier has in a minute, or events past all that can be held; the client should come back."""

    status, code, title = 429, "rate_limited", "Too Many Requests"

    def __init__(self, detail: str, *, tier: str, limit: int, retry_after: int) -> None:
        """Say for how many seconds to wait."""
        super().__init__(detail, retry_after=retry_after)
        self.members = {"tier": tier, "limit": limit}


class UnavailableError(Refusal):
    """A store that the request needs is away; nothing was changed, the client should come back."""

    status, code, title = 503, "unavailable", "Service Unavailable"

    def __init__(self, detail: str = "", *, retry_after: int = 2) -> None:
        """Ask for another try in *retry_after* seconds."""
        super().__init__(detail or "Try again later.", retry_after=retry_after)


class AwsCallError(Exception):
    """AWS rejected a call. *code* is the service's error code without its namespace.

    It is not a refusal: a wrong permission or name is a fault of the deployment.
    """

    def __init__(self, code: str, message: str) -> None:
        """Keep *code*, on which callers branch."""
        super().__init__(f"{code}: {message}")
        self.code = code
