"""The execution environments of one Lambda function: AWS starts them at a bounded rate, up to a quota."""

from dataclasses import dataclass

from simpy import Environment

from scripts.capacity.stations import Gauge, TokenBucket

REFILL_SECONDS = 10.0  # the quota of new environments is for so long


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRules:
    """The limits of one function.

    *limit* environments may exist. *new_per_10_seconds* may start. Each takes *calls_per_second*.
    """

    limit: float
    new_per_10_seconds: float
    calls_per_second: float


class Environments:
    """Environments that are free, busy or not yet started.

    A call takes a free one. If none is free, or the free ones have had their calls of this second, a new one starts.
    """

    def __init__(self, env: Environment, rules: EnvironmentRules, *, warm: float) -> None:
        """Start *warm* environments before the first call."""
        self._rules = rules
        self.existing = min(max(1, round(warm)), max(1, int(rules.limit)))
        calls = rules.calls_per_second
        self._calls = TokenBucket(env, rate=calls * self.existing, size=max(1.0, calls * self.existing))
        new = rules.new_per_10_seconds
        self._new = TokenBucket(env, rate=new / REFILL_SECONDS, size=max(1.0, new))
        self.busy = Gauge(env)

    def take(self) -> bool | None:
        """Take an environment, and return whether it starts cold. Return None if the call is refused."""
        if self.busy.value < self.existing and self._calls.take():
            self.busy.add(1)
            return False
        if self.existing >= int(self._rules.limit) or not self._new.take():
            return None
        self.existing += 1
        self._calls.grow(rate=self._rules.calls_per_second, size=self._rules.calls_per_second)
        self._calls.take()
        self.busy.add(1)
        return True

    def give_back(self) -> None:
        """Free an environment."""
        self.busy.add(-1)
