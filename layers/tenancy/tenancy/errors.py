"""All refusals that clients see, with status and stable code (docs/api.md, "Refusals")."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

import msgspec
from msgspec.structs import force_setattr

BODY: Final = "body"
QUERY: Final = "query"
NO_ROUTE_TEXT: Final = "No route has this method and path."  # API Gateway's too (template.yaml)
PATH: Final = "path"
ANY_CREDENTIAL_FAULT: Final = (
    "Expected one header `Authorization: Bearer <key or access token>`, or Basic with a write key as user name. "
    "The header is missing (X-Api-Key is not read) or repeated, it has another scheme, or its credential is malformed, "
    "unknown, expired or revoked."
)
# A refusal may repeat a name or a value of the request. These bounds keep its answer small.
MAX_ERRORS: Final = 100
LOCATION_MAX_CHARACTERS: Final = 200
MESSAGE_MAX_CHARACTERS: Final = 1_000


def shorten(text: str, characters: int) -> str:
    """Return *text* with at most that many *characters*. The last one shows a cut."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


class FieldError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An invalid field: its location, a stable code, and a message for a person.

    A location is like `body/events/3/revenue`. A long location or message is cut. One batch can have thousands of these
    errors, and a struct takes a fifth of the time of a dataclass.
    """

    location: str
    code: str
    message: str

    def __post_init__(self) -> None:
        """Cut the texts, because they may repeat the request."""
        if len(self.location) > LOCATION_MAX_CHARACTERS or len(self.message) > MESSAGE_MAX_CHARACTERS:
            force_setattr(self, "location", shorten(self.location, LOCATION_MAX_CHARACTERS))
            force_setattr(self, "message", shorten(self.message, MESSAGE_MAX_CHARACTERS))


class Refusal(Exception):  # noqa: N818 - a refusal is an answer to the client, not a defect
    """A request that is answered with a problem document (RFC 9457) instead of a result.

    *detail* is a sentence for the caller, cut if it is long. *errors* are the first 100 invalid fields.
    *retry_after* is in whole seconds.

    *sources* are the parts of the request that name another organization than its credential. The audit log records
    them. *members* are added to the members that every problem document has.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal Server Error"
    sources: tuple[str, ...] = ()
    members: Mapping[str, object] = MappingProxyType({})

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError] = (), retry_after: int | None = None) -> None:
        """Take *detail*, or the title if it is empty."""
        self.detail = shorten(detail or self.title, MESSAGE_MAX_CHARACTERS)
        super().__init__(self.detail)
        self.errors = tuple(errors[:MAX_ERRORS])
        self.retry_after = retry_after


class InternalError(Refusal):
    """The request met a defect of the platform.

    The log has the error under the request id.
    """


class MalformedRequestError(Refusal):
    """The body is not valid JSON, gzip or UTF-8."""

    status, code, title = 400, "malformed_request", "Malformed Request"


class CredentialFault(StrEnum):
    """The class of a refused credential, as a sentence. It never tells whether a key exists."""

    NONE = "The request has no credential."
    SCHEME = "The Authorization header is neither Bearer nor Basic."
    OTHER_KIND = "This route does not take this kind of credential."
    MALFORMED = "The credential is malformed."
    SEVERAL = "The request has several credentials."
    NOT_VALID = "The credential is not valid: it is unknown, expired or revoked."


class UnauthenticatedError(Refusal):
    """A request without a valid credential.

    Behind the authorizer the answer names all causes, because API Gateway has one text for all of them.
    Routes that check the credential themselves name the *fault*.
    """

    status, code, title = 401, "unauthenticated", "Unauthorized"

    def __init__(
        self, detail: str = ANY_CREDENTIAL_FAULT, *, fault: CredentialFault = CredentialFault.NOT_VALID
    ) -> None:
        """Use by default the text that API Gateway answers itself (template.yaml)."""
        super().__init__(detail)
        self.fault = fault


class QuotaExceededError(Refusal):
    """A quota of the tier is used up.

    A larger tier has a larger quota. The usage of a monthly quota starts at zero with the next month.
    """

    status, code, title = 402, "quota_exceeded", "Quota Exceeded"

    def __init__(self, detail: str, *, tier: str, metric: str, limit: int, used: int) -> None:
        """Add the *metric*, its *limit* and the amount *used* to the problem document."""
        super().__init__(detail)
        self.members = {"tier": tier, "metric": metric, "limit": limit, "used": used}


class TenantMismatchError(Refusal):
    """A part of the request names another organization than its credential."""

    status, code, title = 403, "tenant_mismatch", "Tenant Mismatch"

    def __init__(self, detail: str = "", sources: Sequence[str] = (BODY,)) -> None:
        """Take the *sources* that name another organization.

        The default is the body, for errors that the parser of events raises.
        """
        super().__init__(detail)
        self.sources = tuple(sources)


class ForbiddenError(Refusal):
    """The caller may not make this request.

    The caller lacks the permission, the route is for the other kind of caller (tenant or operator), or a platform key
    is used with `X-Organization-ID` or on a tenant's host.
    """

    status, code, title = 403, "forbidden", "Forbidden"


class OrganizationInactiveError(Refusal):
    """The organization is suspended or deleted."""

    status, code, title = 403, "organization_inactive", "Organization Inactive"


class NotInTierError(Refusal):
    """The entitlements of the organization do not include the feature."""

    status, code, title = 403, "not_in_tier", "Not In Tier"

    def __init__(self, *, tier: str, entitlement: str) -> None:
        """Add the *tier* and the missing *entitlement* to the problem document."""
        super().__init__(
            f"The entitlements of the organization (tier {tier} with its overrides) do not include {entitlement}. "
            "Ask the platform operator for a larger tier or an override."
        )
        self.members = {"tier": tier, "entitlement": entitlement}


class SsoRequiredError(Refusal):
    """The organization takes no passwords: its members log in by single sign-on."""

    status, code, title = 403, "sso_required", "Single Sign-On Required"

    def __init__(self) -> None:
        """Name the route of single sign-on."""
        super().__init__("The organization takes no passwords. Log in by single sign-on: GET /v1/auth/sso/start.")


class NotFoundError(Refusal):
    """The resource does not exist, or the caller may not know of it."""

    status, code, title = 404, "not_found", "Not Found"


class ForeignPathError(NotFoundError):
    """A tenant calls a path of another organization.

    The audit log records it as a mismatch. The answer equals that for an organization that does not exist.
    """

    def __init__(self, sources: Sequence[str] = (PATH,)) -> None:
        """Take the *sources* for the audit log."""
        super().__init__("There is no such organization.")
        self.sources = tuple(sources)


class ErasedError(Refusal):
    """The organization was erased.

    Its remnant, its audit log and its certificate remain.
    """

    status, code, title = 410, "erased", "Gone"

    def __init__(self, detail: str = "The organization was erased.") -> None:
        """Answer by default that the organization was erased."""
        super().__init__(detail)


class SubdomainTakenError(Refusal):
    """The subdomain is not available.

    It is reserved, it is in quarantine after an erasure, or it equals or looks like another organization's.
    """

    status, code, title = 409, "subdomain_taken", "Subdomain Taken"

    def __init__(self, subdomain: str) -> None:
        """Name the requested *subdomain*."""
        super().__init__(f"The subdomain {subdomain!r} is taken or reserved. Choose another one.")


class DomainTakenError(Refusal):
    """The domain is proven for another organization."""

    status, code, title = 409, "domain_taken", "Domain Taken"

    def __init__(self, domain: str, *, record_name: str) -> None:
        """Name the *domain*, and the TXT record that proves it for the other organization."""
        super().__init__(
            f"The domain {domain} is verified for another organization. Ask that organization to remove it, or delete "
            f"its TXT record at {record_name}: the other verification then ends, usually within 12 days. "
            "Then verify again."
        )


class TransitionNotAllowedError(Refusal):
    """The status of the organization does not allow the change."""

    status, code, title = 409, "transition_not_allowed", "Transition Not Allowed"


class DowngradeBlockedError(Refusal):
    """The organization exceeds a limit of its new entitlements.

    `blockers` lists the metrics.
    """

    status, code, title = 409, "downgrade_blocked", "Downgrade Blocked"

    def __init__(self, blockers: Sequence[str]) -> None:
        """Name the metrics that exceed the new limits."""
        super().__init__(
            f"The organization has more {' and '.join(blockers)} than the change allows. "
            "Choose a tier or overrides that include them."
        )
        self.members = {"blockers": list(blockers)}


class NotDeletedError(Refusal):
    """The organization is not deleted, so it cannot be restored."""

    status, code, title = 409, "not_deleted", "Not Deleted"


class LastSuperAdminError(Refusal):
    """The member is the last active super_admin of the organization.

    It cannot be disabled or removed, and keeps the role.
    """

    status, code, title = 409, "last_super_admin", "Last Super Admin"

    def __init__(self) -> None:
        """Tell how the change becomes possible."""
        super().__init__(
            "The member is the last active super_admin of the organization. Give another active member this role first."
        )


class RequestInProgressError(Refusal):
    """A request with the same `Idempotency-Key` still runs.

    The client should retry.
    """

    status, code, title = 409, "request_in_progress", "Request In Progress"

    def __init__(self, detail: str, *, retry_after: int = 10) -> None:
        """Ask the client to retry after *retry_after* seconds."""
        super().__init__(detail, retry_after=retry_after)


class ConflictError(Refusal):
    """The state of the resource does not allow the request."""

    status, code, title = 409, "conflict", "Conflict"


class TooLargeError(Refusal):
    """The decoded body exceeds the limit of the route."""

    status, code, title = 413, "too_large", "Content Too Large"


class UnsupportedMediaTypeError(Refusal):
    """The route does not take a body of this `Content-Type`."""

    status, code, title = 415, "unsupported_media_type", "Unsupported Media Type"


class InvalidError(Refusal):
    """The request is well-formed, but has invalid values.

    `errors` lists the fields.
    """

    status, code, title = 422, "invalid", "Unprocessable Content"


class IdempotencyKeyReusedError(Refusal):
    """The `Idempotency-Key` was used before for another request."""

    status, code, title = 422, "idempotency_key_reused", "Idempotency Key Reused"


class RatesTooLargeError(Refusal):
    """The rate limits of an organization add up to more than the largest usage plan allows."""

    status, code, title = 422, "rates_too_large", "Rates Too Large"

    def __init__(self, *, api: int, ingest: int, limit: int) -> None:
        """Add both rates, their sum and its *limit* to the problem document."""
        total = api + ingest
        super().__init__(
            f"The requests per minute add up to {total} (api {api}, ingest {ingest}). Lower them to at most {limit}."
        )
        rates = {"api_requests_per_minute": api, "ingest_requests_per_minute": ingest}
        self.members = {**rates, "sum": total, "limit": limit}


class RateLimitedError(Refusal):
    """The request exceeds the rate limit, or on a Segment path a monthly quota.

    The quotas are the month's requests, and the month's events with their grace band. Segment SDKs retry after a 429
    and drop events after a 402. Other paths answer a used-up quota with `QuotaExceededError`.
    """

    status, code, title = 429, "rate_limited", "Too Many Requests"

    def __init__(self, detail: str, *, tier: str, limit: int, retry_after: int) -> None:
        """Add *tier* and *limit* to the document.

        Ask to retry after *retry_after* seconds.
        """
        super().__init__(detail, retry_after=retry_after)
        self.members = {"tier": tier, "limit": limit}


class TooManyAttemptsError(Refusal):
    """The password of an account was wrong too often, from one network.

    The account is not locked at other networks.
    """

    status, code, title = 429, "too_many_attempts", "Too Many Requests"

    def __init__(self, *, retry_after: int) -> None:
        """Ask the client to retry after *retry_after* seconds."""
        text = f"Too many failed attempts for this account. Retry after {retry_after} seconds."
        super().__init__(text, retry_after=retry_after)


class UnavailableError(Refusal):
    """A store that the request needs is unreachable.

    The change may be done, in part or as a whole: PostgreSQL may have committed before its connection broke, and some
    events may be queued. The client should retry. The docstring of a use case names the effect of a retry.
    """

    status, code, title = 503, "unavailable", "Service Unavailable"

    def __init__(self, detail: str = "", *, retry_after: int = 2) -> None:
        """Add to *detail* that the client should retry after *retry_after* seconds."""
        text = detail or "The service is temporarily unavailable."
        super().__init__(f"{text} Retry after {retry_after} seconds.", retry_after=retry_after)


class AwsCallError(Exception):
    """AWS rejected a call. *code* is the service's error code without its namespace.

    It is not a refusal: a wrong permission or name is a fault of the deployment.
    """

    def __init__(self, code: str, message: str) -> None:
        """Keep *code*, on which callers branch."""
        super().__init__(f"{code}: {message}")
        self.code = code


class DeploymentError(Exception):
    """A deploy cannot go on.

    CloudFormation shows the text. So it has no secret, and names the next step.
    """


class FetchFault(StrEnum):
    """The reason why a URL of a tenant was not fetched, or its DNS records were not found."""

    INVALID_URL = "invalid_url"
    NO_ADDRESS = "no_address"
    NOT_PUBLIC = "not_public"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    ENCODED = "encoded"
    NO_HTTP = "no_http"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    NO_DNS_ANSWER = "no_dns_answer"


FETCH_FAULT_TEXTS: Final[Mapping[FetchFault, str]] = MappingProxyType(
    {
        FetchFault.INVALID_URL: (
            "Expected an https URL with a public domain name and port 443, such as https://www.acme.example/logo.png. "
            "localhost and IP addresses are refused. The URL, or a URL that it redirects to, has another form."
        ),
        FetchFault.NO_ADDRESS: "The host of the URL has no IP address.",
        FetchFault.NOT_PUBLIC: "The host of the URL has an IP address that is not public.",
        FetchFault.UNREACHABLE: "The server of the URL does not accept a connection, or has closed it.",
        FetchFault.UNTRUSTED: "The server of the URL has no certificate of a public authority for its host name.",
        FetchFault.TOO_SLOW: (
            "The server of the URL did not answer in time: 3 seconds for a connection, 8 seconds in total. "
            "Send the request again later."
        ),
        FetchFault.TOO_LARGE: "The answer of the URL is too large.",
        FetchFault.ENCODED: "The answer of the URL is compressed, although the request asked for no compression.",
        FetchFault.NO_HTTP: "The answer of the URL is not valid HTTP/1.1.",
        FetchFault.TOO_MANY_REDIRECTS: (
            "The URL redirects more than 3 times. Send the URL at the end of the redirects."
        ),
        FetchFault.NO_DNS_ANSWER: "The DNS servers of the name do not answer, or answer with an error.",
    }
)


class UnreachableUrlError(Exception):
    """A URL of a tenant was not fetched, or the DNS records of its name were not found.

    It is not a refusal: the use case knows which member of the request named the URL. The text is for the tenant.
    """

    def __init__(self, fault: FetchFault, *, max_bytes: int | None = None) -> None:
        """Keep *fault*, on which callers branch. *max_bytes* is the largest allowed answer, None if it is not known."""
        limit = "" if max_bytes is None else f" Expected at most {max_bytes:,} bytes."
        super().__init__(FETCH_FAULT_TEXTS[fault] + (limit if fault is FetchFault.TOO_LARGE else ""))
        self.fault = fault
