"""Weekly checks of proven domains: e-mail domains and custom domains."""

from dataclasses import dataclass
from datetime import datetime

from tenancy.rules.durations import DOMAIN_CHECK_INTERVAL, DOMAIN_RECHECK_INTERVAL, MISSING_PROOF_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainCheck:
    """The effect of a check of a proven domain.

    *check_at* is the time of the next one, and None if the proof is withdrawn. *is_newly_missing* tells that the admins
    are to be warned.
    """

    check_at: datetime | None
    missing_since: datetime | None = None
    is_newly_missing: bool = False

    @property
    def is_withdrawn(self) -> bool:
        """Whether the proof is withdrawn."""
        return self.check_at is None


def next_check(now: datetime) -> datetime:
    """Return the time of the check that follows a proof at *now*."""
    return now + DOMAIN_CHECK_INTERVAL


def withdrawal_at(missing_since: datetime) -> datetime:
    """Return the time from which a check without a proof withdraws it."""
    return missing_since + MISSING_PROOF_TIME


def assess_check(missing_since: datetime | None, *, is_found: bool | None, now: datetime) -> DomainCheck:
    """Return the effect of a check of a proof that is missing since *missing_since*, None if it was there.

    *is_found* is None if the DNS servers did not answer. They prove nothing then, in either direction: the check is
    repeated.
    """
    soon = now + DOMAIN_RECHECK_INTERVAL
    if is_found:
        return DomainCheck(check_at=next_check(now))
    if is_found is None:
        return DomainCheck(check_at=soon, missing_since=missing_since)
    if missing_since is None:
        return DomainCheck(check_at=soon, missing_since=now, is_newly_missing=True)
    if now < withdrawal_at(missing_since):
        return DomainCheck(check_at=min(soon, withdrawal_at(missing_since)), missing_since=missing_since)
    return DomainCheck(check_at=None)
