"""Data subjects in ClickHouse: the rows of one device or user, found by a salted digest.

docs/api.md, "Data subjects", says which rows belong to a subject. A digest is that of a composed name (NFC). A row has
the names as they were sent. Each one is compared as it is, and composed: ClickHouse may know compositions of a newer
version of Unicode than the digest.

An erasure covers rows that were received or happened before its request. The second condition covers held events that
are released meanwhile: they are received later.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from tenancy.rules.erasures import NOTHING, DailyLoss, DataSubject, SubjectRows, WrittenPeriod
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.mutations import run_mutation

IS_SUBJECTS: Final = """(
    created_at > {since:DateTime64(3, 'UTC')} AND created_at <= {until:DateTime64(3, 'UTC')}
    AND (received_at <= {through:DateTime64(6, 'UTC')} OR event_timestamp <= {through:DateTime64(6, 'UTC')})
    AND arrayExists(
        name -> SHA256(concat({salt:String}, name)) = unhex({digest:String})
            OR SHA256(concat({salt:String}, normalizeUTF8NFC(toValidUTF8(name)))) = unhex({digest:String}),
        if({kind:String} = 'device_id', arrayPushBack(device_names, device_id), user_names)
    )
)"""
OF_SUBJECT: Final = " WHERE organization_id = {organization_id:UUID} AND " + IS_SUBJECTS
FROM_EVENTS: Final = "FROM events" + OF_SUBJECT
FROM_HELD_EVENTS: Final = "FROM held_events" + OF_SUBJECT
COUNT_EVENTS: Final = "SELECT uniqExact(event_timestamp, device_id, event_id) " + FROM_EVENTS
COUNT_HELD_EVENTS: Final = "SELECT uniqExact(event_timestamp, device_id, event_id) " + FROM_HELD_EVENTS
LIST_DAYS: Final = "SELECT groupUniqArray(toDate(event_timestamp)), groupUniqArray(toDate(received_at)) " + FROM_EVENTS
# A device with another event on the same day still counts for that day.
LIST_LOSSES: Final = (
    """
    SELECT metric_date, sum(own), countIf(own = every), sum(own_bytes) FROM (
        SELECT toDate(received_at) AS metric_date, device_id, countIf(is_own) AS own, count() AS every,
               sumIf(bytes, is_own) AS own_bytes
        FROM (
            SELECT received_at, device_id, bytes, """
    + IS_SUBJECTS
    + """ AS is_own
            FROM events FINAL
            WHERE organization_id = {organization_id:UUID} AND toDate(received_at) IN {days:Array(Date)}
        )
        GROUP BY metric_date, device_id HAVING own > 0
    )
    GROUP BY metric_date
"""
)
DELETE_EVENTS: Final = "ALTER TABLE events DELETE" + OF_SUBJECT
DELETE_HELD_EVENTS: Final = "ALTER TABLE held_events DELETE" + OF_SUBJECT
FIRST_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
LAST_TIME: Final = datetime(2100, 1, 1, tzinfo=UTC)


def count_subject(
    client: Client, organization_id: UUID, subject: DataSubject, written: WrittenPeriod, *, through: datetime
) -> tuple[int, int]:
    """Return the number of events and held events of *subject*, at *through* or earlier."""
    parameters = _parameters(organization_id, subject, written, through)
    [(events,)] = client.query(COUNT_EVENTS, parameters=parameters).result_rows
    [(held,)] = client.query(COUNT_HELD_EVENTS, parameters=parameters).result_rows
    return int(events), int(held)


def find_subject(
    client: Client,
    organization_id: UUID,
    subject: DataSubject,
    written: WrittenPeriod,
    *,
    through: datetime,
    first_open: date | None,
) -> SubjectRows:
    """Return the number of rows of *subject*, and the days on which they count.

    Days before *first_open* cannot be counted again, so their losses are returned as well. With None no day has losses.
    """
    events, held = count_subject(client, organization_id, subject, written, through=through)
    if not events:
        return SubjectRows(held_events=held)
    parameters = _parameters(organization_id, subject, written, through)
    [(event_days, receipt_days)] = client.query(LIST_DAYS, parameters=parameters).result_rows
    closed = [day for day in receipt_days if first_open is not None and day < first_open]
    return SubjectRows(
        events=events,
        held_events=held,
        event_days=frozenset(event_days),
        receipt_days=frozenset(receipt_days),
        losses=_list_losses(client, parameters, closed),
    )


def delete_subject(
    client: Client, organization_id: UUID, subject: DataSubject, written: WrittenPeriod, *, through: datetime
) -> None:
    """Delete the rows of *subject* from every part on disk. Idempotent.

    The rows are gone when it returns.
    """
    parameters = _parameters(organization_id, subject, written, through)
    run_mutation(client, DELETE_EVENTS, parameters)
    run_mutation(client, DELETE_HELD_EVENTS, parameters)


def _list_losses(client: Client, parameters: Mapping[str, Any], days: Sequence[date]) -> Mapping[date, DailyLoss]:
    if not days:
        return {}
    lost = client.query(LIST_LOSSES, parameters={**parameters, "days": days}).result_rows
    losses = {day: DailyLoss(int(own), int(devices), int(size)) for day, own, devices, size in lost}
    return {day: losses.get(day, NOTHING) for day in days}


def _parameters(
    organization_id: UUID, subject: DataSubject, written: WrittenPeriod, through: datetime
) -> dict[str, Any]:
    return {
        "organization_id": str(organization_id),
        "kind": subject.kind.value,
        "salt": subject.salt.hex(),
        "digest": subject.digest.hex(),
        "since": written.since or FIRST_TIME,
        "until": written.until or LAST_TIME,
        "through": through,
    }
