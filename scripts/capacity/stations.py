"""Servers with a queue, gauges, and token buckets: the parts that simulations are made of."""

from collections.abc import Callable

from simpy import Environment, Resource
from simpy.events import ProcessGenerator


class Gauge:
    """A number that changes in time: its mean over time, and its maximum."""

    def __init__(self, env: Environment) -> None:
        """Start at 0."""
        self._env = env
        self.value = 0
        self.restart()

    def restart(self) -> None:
        """Forget the past, not the value."""
        self._started = self._changed = self._env.now
        self._area = 0.0
        self.maximum = self.value

    def add(self, change: int) -> None:
        """Add *change*."""
        self._sum_up()
        self.value += change
        self.maximum = max(self.maximum, self.value)

    @property
    def mean(self) -> float:
        """Return the mean over the time since the start."""
        self._sum_up()
        return self._area / max(self._env.now - self._started, 1e-12)

    def _sum_up(self) -> None:
        self._area += self.value * (self._env.now - self._changed)
        self._changed = self._env.now


class Station:
    """Servers with one queue: first come, first served.

    A fraction of a server is a whole one that works so much slower.
    """

    def __init__(self, env: Environment, servers: float = 1) -> None:
        """Open with idle servers."""
        self._env = env
        self.servers = max(1, round(servers))
        self._speed = servers / self.servers
        self._resource = Resource(env, capacity=self.servers)
        self.inside = Gauge(env)
        self.busy = Gauge(env)
        self.restart()

    def restart(self) -> None:
        """Forget the customers that were served."""
        self.served = 0
        self.waited = 0.0
        self.stayed = 0.0
        self.inside.restart()
        self.busy.restart()

    def serve(self, seconds: float | Callable[[int], float]) -> ProcessGenerator:
        """Wait for a server, then use it for *seconds*, which may depend on the number of busy servers."""
        arrived = self._env.now
        self.inside.add(1)
        with self._resource.request() as turn:
            yield turn
            started = self._env.now
            self.busy.add(1)
            spent = seconds(self.busy.value) if callable(seconds) else seconds
            yield self._env.timeout(spent / self._speed)
            self.busy.add(-1)
        self.inside.add(-1)
        self.served += 1
        self.waited += started - arrived
        self.stayed += self._env.now - arrived

    @property
    def mean_wait(self) -> float:
        """Return the mean seconds before service."""
        return self.waited / max(self.served, 1)

    @property
    def utilization(self) -> float:
        """Return the share of the servers' time that was used."""
        return self.busy.mean / self.servers


class TokenBucket:
    """Tokens that come back at a rate, up to a number that may be kept."""

    def __init__(self, env: Environment, *, rate: float, size: float) -> None:
        """Start full."""
        self._env = env
        self._rate, self._size = rate, size
        self._tokens = size
        self._filled = env.now

    def grow(self, *, rate: float, size: float) -> None:
        """Add to the rate, to the size and to the tokens that are there."""
        self._fill()
        self._rate += rate
        self._size += size
        self._tokens += size

    def take(self) -> bool:
        """Take one token, if there is one."""
        self._fill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _fill(self) -> None:
        now = self._env.now
        self._tokens = min(self._size, self._tokens + self._rate * (now - self._filled))
        self._filled = now
