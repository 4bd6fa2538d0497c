"""Stored events for the tests of their lists, and the rows that ClickHouse reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tenancy.rules.cursors import Page
from tenancy.rules.statistics import NO_APP
from tenancy.rules.stored_events import EventFilter, EventOrder, EventQuery, StoredEvent
from tenancy.stores.clickhouse.client import Client
from tenancy.use_cases.events.read_events import read_events
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
ALL: Final = EventFilter()
RECEIVED: Final = EventOrder.RECEIVED


@dataclass
class CountingClient:
    """A client that counts its queries, and the rows that they read, from the summary of each."""

    client: Client
    rows_read: int = field(default=0)
    statements: int = field(default=0)

    @property
    def database(self) -> str | None:
        return self.client.database

    def query(self, statement: str, **options: Any) -> Any:  # noqa: ANN401 - of the driver
        result = self.client.query(statement, **options)
        self.statements += 1
        self.rows_read += int(result.summary["read_rows"])
        return result


@dataclass(frozen=True)
class EventTables:
    """The events of an organization, and the pages that its tenant reads."""

    databases: Databases
    owner: Provisioned

    def insert(self, *rows: Mapping[str, object]) -> None:
        """Insert *rows* as one part. A row has the defaults of `row`."""
        full = [self.row(**each) for each in rows]
        self.databases.clickhouse.insert("events", [list(each.values()) for each in full], column_names=list(full[0]))

    def row(self, **values: object) -> dict[str, object]:
        """Return a row of an event that happened a minute ago, by default.

        It was received and stored one second later.
        """
        happened = values.get("event_timestamp", NOW - timedelta(minutes=1))
        assert isinstance(happened, datetime)
        return {
            "organization_id": self.owner.organization.id,
            "event_id": "1",
            "event_type": "purchase",
            "event_name": "Ordered",
            "device_id": "device",
            "platform": "ios",
            "event_timestamp": happened,
            "received_at": happened + timedelta(seconds=1),
            "created_at": happened + timedelta(seconds=1),
            "properties": "{}",
            "user_properties": "{}",
            "app_id": NO_APP,
            **values,
        }

    def page(
        self,
        wanted: EventFilter = ALL,
        order: EventOrder = EventOrder.EVENT_TIMESTAMP,
        *,
        now: datetime = NOW,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[StoredEvent]:
        return self.counted_page(wanted, order, now=now, cursor=cursor, limit=limit)[0]

    def counted_page(
        self, wanted: EventFilter, order: EventOrder, *, now: datetime = NOW, cursor: str | None = None, limit: int
    ) -> tuple[Page[StoredEvent], int]:
        """Return a page, and the rows that ClickHouse read for it."""
        client = CountingClient(self.databases.clickhouse)
        return self.page_by(client, wanted, order, now=now, cursor=cursor, limit=limit), client.rows_read

    def page_by(
        self,
        client: CountingClient,
        wanted: EventFilter,
        order: EventOrder,
        *,
        now: datetime = NOW,
        cursor: str | None = None,
        limit: int,
    ) -> Page[StoredEvent]:
        """Return a page that *client* reads."""
        return read_events(
            self.databases.functions,
            lambda: client,  # type: ignore[arg-type,return-value]
            tenant_of(self.owner),
            EventQuery(wanted=wanted, order=order),
            now=now,
            cursor=cursor,
            limit=limit,
        )

    def pages(
        self, wanted: EventFilter = ALL, order: EventOrder = EventOrder.EVENT_TIMESTAMP, *, limit: int = 100
    ) -> Iterator[Page[StoredEvent]]:
        """Yield all pages of a list."""
        cursor = None
        while True:
            page = self.page(wanted, order, limit=limit, cursor=cursor)
            yield page
            if not page.has_more:
                return
            assert page.next_cursor not in {None, cursor}
            cursor = page.next_cursor

    def parts(self) -> int:
        statement = """
            SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'events' AND active
        """
        return int(self.databases.clickhouse.query(statement).result_rows[0][0])


def ids(*pages: Page[StoredEvent]) -> list[str]:
    return [event.key.event_id for page in pages for event in page.rows]
