"""The comparison of the events that clients sent with the events that are stored and billed."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import clickhouse_connect

from scripts.upgrade.clients import Sent

WAIT_SECONDS: Final = 420.0  # more than twice the visibility time-out of the queue
POLL_SECONDS: Final = 2.0
SHOWN_IDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ids of the events that an organization sent, and how often each id is *stored*.

    *unanswered* events may be stored or not.
    """

    accepted: frozenset[str]
    unanswered: frozenset[str]
    stored: Counter[str]

    @property
    def lost(self) -> frozenset[str]:
        """The ids that were accepted and are not stored."""
        return self.accepted - self.stored.keys()

    def faults(self) -> list[str]:
        """Return a line for each kind of event that is stored otherwise than once."""
        kinds = {
            "accepted events are lost": self.lost,
            "events are stored more than once": {event_id for event_id, times in self.stored.items() if times > 1},
            "stored events were never sent": self.stored.keys() - self.accepted - self.unanswered,
        }
        return [f"{len(ids)} {kind}: {sorted(ids)[:SHOWN_IDS]}" for kind, ids in kinds.items() if ids]

    def billing_faults(self, *, used: int, counted: int) -> list[str]:
        """Compare the *used* events of the quota and the *counted* ones of the statistics with the stored events."""
        stored = len(self.stored)
        numbers = {"usage": used, "the statistics": counted}
        return [f"{stored} events are stored, {name} has {it}" for name, it in numbers.items() if it != stored]


def read_ledger(clickhouse_url: str, organization_id: str, sent: Sent) -> Ledger:
    """Read the stored events, as soon as all accepted ones are there or the wait is over."""
    deadline = time.monotonic() + WAIT_SECONDS
    accepted = frozenset(event_id for batch in sent.accepted for event_id in batch.ids)
    while True:
        ledger = Ledger(
            accepted=accepted,
            unanswered=frozenset(event_id for batch in sent.unanswered for event_id in batch.ids),
            stored=_count_stored(clickhouse_url, organization_id),
        )
        if not ledger.lost or time.monotonic() > deadline:
            return ledger
        time.sleep(POLL_SECONDS)


def _count_stored(clickhouse_url: str, organization_id: str) -> Counter[str]:
    client = clickhouse_connect.get_client(dsn=clickhouse_url)
    statement = "SELECT event_id, count() FROM events FINAL WHERE organization_id = {id:UUID} GROUP BY event_id"
    try:
        rows = client.query(statement, parameters={"id": organization_id}).result_rows
        return Counter({str(event_id): int(times) for event_id, times in rows})
    finally:
        client.close()
