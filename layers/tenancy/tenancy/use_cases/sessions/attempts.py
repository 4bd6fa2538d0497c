"""Count failed attempts to prove a password."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from uuid import UUID

from tenancy.errors import TooManyAttemptsError
from tenancy.rules.people.log_in_attempts import attempts_field
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.log_ins import forget_log_ins, reserve_log_in


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordAttempt:
    """One attempt: the address of the account, and the network address of the client."""

    organization_id: UUID
    email: str
    source_address: str

    @property
    def field(self) -> str:
        """The name under which the attempt is counted."""
        return attempts_field(self.email, self.source_address)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptCounter:
    """The counter of attempts in Redis.

    Without Redis every attempt is allowed, because an outage must not keep members out. *count_uncounted* is called for
    each call of Redis that fails.
    """

    redis: Redis
    count_uncounted: Callable[[], None]

    def reserve(self, attempt: PasswordAttempt, *, now: datetime) -> None:
        """Count *attempt* as failed. `forget` undoes it after the right password.

        Raises:
            TooManyAttemptsError: too many attempts failed. No password was checked.
        """
        try:
            verdict = reserve_log_in(self.redis, attempt.organization_id, attempt.field, now=now)
        except RedisUnreachableError:
            self.count_uncounted()
            return
        if not verdict.is_allowed:
            raise TooManyAttemptsError(retry_after=max(1, ceil(verdict.wait.total_seconds())))

    def forget(self, attempt: PasswordAttempt, *, now: datetime) -> None:
        """Forget the attempts of the account at the network. If Redis is unreachable, they expire."""
        try:
            forget_log_ins(self.redis, attempt.organization_id, attempt.field, now=now)
        except RedisUnreachableError:
            self.count_uncounted()
