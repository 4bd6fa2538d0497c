"""Load, simulated: Lambda's pollers collect messages of the queue, and each batch is one insert into ClickHouse."""

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from simpy import Environment
from simpy.events import ProcessGenerator

from scripts.capacity.stations import Gauge, Station

POLL_SECONDS: Final = 0.05
SECONDS_PER_MINUTE: Final = 60.0


class QueuedMessage(NamedTuple):
    """A message of one request: when it was sent, its rows and its bytes."""

    sent_at: float
    rows: int
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderRules:
    """How batches are made: *first* at once, *more_per_minute* during a backlog, up to *limit*."""

    first: float
    limit: float
    more_per_minute: float
    batch: int
    payload: float
    window: float
    in_flight: float


class BatchCosts(Protocol):
    """The seconds of a batch: those of the function, and those of ClickHouse."""

    def load(self, messages: float) -> float:
        """Return the seconds of a call of load with so many messages, without the insert."""
        ...

    def insert(self, rows: float) -> float:
        """Return the seconds of an insert of so many rows."""
        ...


class Loaders:
    """The calls of load. Each collects a batch, until it is full or its window ends, and inserts it."""

    def __init__(self, env: Environment, rules: LoaderRules, clickhouse: Station, model: BatchCosts) -> None:
        """Start the first pollers, and the one that adds others."""
        self._env, self._rules, self._clickhouse, self._model = env, rules, clickhouse, model
        self.queue: deque[QueuedMessage] = deque()
        self.in_flight = Gauge(env)
        self.busy = Gauge(env)
        self.pollers = max(1, round(rules.first))
        self.restart()
        for _ in range(self.pollers):
            env.process(self._poll())
        env.process(self._scale())

    def restart(self) -> None:
        """Forget the inserts so far."""
        self.inserts = 0
        self.rows = 0
        self.messages = 0
        self.ages = 0.0
        self.in_flight.restart()
        self.busy.restart()

    def _scale(self) -> ProcessGenerator:
        """Add pollers each second, while more than a batch for each of them waits."""
        earned = 0.0
        while True:
            yield self._env.timeout(1.0)
            if len(self.queue) <= self.pollers * self._rules.batch:
                continue
            earned += self._rules.more_per_minute / SECONDS_PER_MINUTE
            while earned >= 1 and self.pollers < int(self._rules.limit):
                earned -= 1
                self.pollers += 1
                self._env.process(self._poll())

    def _poll(self) -> ProcessGenerator:
        while True:
            batch = yield from self._collect()
            self.busy.add(1)
            yield self._env.timeout(self._model.load(len(batch)))
            rows = sum(each.rows for each in batch)
            yield from self._clickhouse.serve(self._model.insert(rows))
            self.busy.add(-1)
            self.in_flight.add(-len(batch))
            self._count(batch, rows)

    def _collect(self) -> ProcessGenerator:
        rules, queue = self._rules, self.queue
        batch: list[QueuedMessage] = []
        size = 0.0
        ends_at = float("inf")
        while True:
            while queue and len(batch) < rules.batch and size + queue[0].size <= rules.payload:
                if self.in_flight.value >= rules.in_flight:
                    break
                batch.append(queue.popleft())
                size += batch[-1].size
                self.in_flight.add(1)
            is_full = len(batch) >= rules.batch or (queue and size + queue[0].size > rules.payload)
            if batch:
                ends_at = min(ends_at, self._env.now + rules.window)
            if batch and (is_full or self._env.now >= ends_at):
                return batch
            yield self._env.timeout(min(POLL_SECONDS, max(ends_at - self._env.now, 1e-6)))

    def _count(self, batch: list[QueuedMessage], rows: int) -> None:
        self.inserts += 1
        self.rows += rows
        self.messages += len(batch)
        self.ages += sum(self._env.now - each.sent_at for each in batch)
