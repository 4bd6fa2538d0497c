"""Why a log-in by single sign-on is refused. The log has the fault. The client gets one of two texts."""

from enum import StrEnum
from typing import Final

from tenancy.errors import ForbiddenError, UnauthenticatedError

SSO_REFUSED_TEXT: Final = (
    "Single sign-on has failed. Start it again. If it fails again, ask an administrator of your organization."
)
SSO_FORBIDDEN_TEXT: Final = "Single sign-on does not admit you. Ask an administrator of your organization."


class SsoFault(StrEnum):
    """The reason why a log-in is refused: first those of the request, then of the answers, then of the person."""

    NO_CONNECTION = "no_connection"
    REPEATED_PARAMETER = "repeated_parameter"
    STATE_MISSING = "state_missing"
    STATE_MALFORMED = "state_malformed"
    STATE_UNKNOWN = "state_unknown"
    STATE_USED = "state_used"
    STATE_EXPIRED = "state_expired"
    OTHER_ORGANIZATION = "other_organization"
    COOKIE_MISSING = "cookie_missing"
    OTHER_BROWSER = "other_browser"
    OTHER_CONNECTION = "other_connection"
    OTHER_ISSUER = "other_issuer"
    ISSUER_MISSING = "issuer_missing"
    CODE_MISSING = "code_missing"

    PROVIDER_UNREACHABLE = "provider_unreachable"
    CODE_REFUSED = "code_refused"
    ANSWER_MALFORMED = "answer_malformed"
    TOKEN_MISSING = "token_missing"  # noqa: S105 - a fault
    TOKEN_TOO_LARGE = "token_too_large"  # noqa: S105 - a fault
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105 - a fault
    TOKEN_TYPE = "token_type"  # noqa: S105 - a fault
    CRITICAL_HEADER = "critical_header"
    KEY_IN_HEADER = "key_in_header"
    ALGORITHM = "algorithm"
    KEYS_INVALID = "keys_invalid"
    KEY_UNKNOWN = "key_unknown"
    SIGNATURE = "signature"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    AUTHORIZED_PARTY = "authorized_party"
    SUBJECT = "subject"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    ISSUED_BEFORE = "issued_before"
    NONCE = "nonce"
    ACCESS_TOKEN_HASH = "access_token_hash"  # noqa: S105 - a fault

    ANSWER_MISSING = "answer_missing"
    ANSWER_TOO_LARGE = "answer_too_large"
    ASSERTION_COUNT = "assertion_count"
    NO_SUCCESS = "no_success"
    DESTINATION = "destination"
    OTHER_REQUEST = "other_request"
    SIGNATURE_PLACE = "signature_place"
    UNSIGNED = "unsigned"
    CONFIRMATION = "confirmation"
    RECIPIENT = "recipient"
    ASSERTION_USED = "assertion_used"

    EMAIL_MISSING = "email_missing"
    EMAIL_UNVERIFIED = "email_unverified"
    DOMAIN_UNPROVEN = "domain_unproven"
    OTHER_SUBJECT = "other_subject"
    MEMBER_DISABLED = "member_disabled"
    MEMBER_REMOVED = "member_removed"
    NO_SEAT = "no_seat"
    ORGANIZATION_INACTIVE = "organization_inactive"

    CODE_INVALID = "code_invalid"
    CODE_VERIFIER = "code_verifier"


class SsoRefusedError(UnauthenticatedError):
    """A log-in by single sign-on that proves no identity. The log has its *reason*."""

    def __init__(self, reason: SsoFault) -> None:
        """Keep *reason* for the log."""
        super().__init__(SSO_REFUSED_TEXT)
        self.reason = reason


class SsoForbiddenError(ForbiddenError):
    """A proven identity that may not be a member of the organization. The log has its *reason*."""

    def __init__(self, reason: SsoFault) -> None:
        """Keep *reason* for the log."""
        super().__init__(SSO_FORBIDDEN_TEXT)
        self.reason = reason
