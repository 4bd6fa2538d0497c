"""Stored events, with an organization's secret key: show the newest, and say where events are."""

from typing import Annotated, Final

import typer

from scripts.tenantctl.commands import AsJson, Limit, Noun, Output
from scripts.tenantctl.following import Tail, follow, show_newest
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import Row, table

TRACED: Final = ("event_id", "state", "reason", "received_at", "device_id", "event_timestamp")

noun: Final = Noun("events", "Stored events of an organization, with its secret key (TENANTCTL_SECRET_KEY).")


@noun.command(
    "tail",
    output=Output(method="GET", path="/events", is_lines=True, rows="data"),
    examples=("events tail --limit 5", "events tail --event-type purchase --json"),
)
def tail_events(  # noqa: PLR0913 - one parameter for each option
    ctx: typer.Context,
    *,
    following: Annotated[bool, typer.Option("--follow", help="Show new events until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=1, help="Seconds between two looks with --follow.")] = 5,
    limit: Limit = 20,
    event_type: Annotated[str | None, typer.Option(help="Only this type.")] = None,
    event_name: Annotated[str | None, typer.Option(help="Only this name.")] = None,
    device_id: Annotated[str | None, typer.Option(help="Only this device.")] = None,
    app_id: Annotated[str | None, typer.Option(help="Only this app, or `none`.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest events by their time, oldest first. With --json each line is one event.

    With --follow an event appears if its time is newer, or among the newest 100. `events trace` finds each event.
    """
    session = Session.of(ctx, as_json=as_json)
    query = {"event_type": event_type, "event_name": event_name, "device_id": device_id, "app_id": app_id}
    tail = Tail(
        read_page=lambda rows, cursor: session.tenant.get("events", query={**query, "limit": rows, "cursor": cursor}),
        key_of=lambda row: (row["event_id"], row["device_id"], row["event_timestamp"]),
        text_of=_line,
    )
    seen = show_newest(session, tail, limit=limit)
    if following:
        follow(session, tail, seen, interval_seconds=interval)


@noun.command(
    "trace",
    output=Output(method="POST", path="/events/trace"),
    examples=("events trace order-1 order-2", "events trace order-1 --device-id device-1 --json"),
)
def trace(
    ctx: typer.Context,
    event_ids: Annotated[list[str], typer.Argument(metavar="EVENT_ID", help="1 to 100 ids.")],
    *,
    device_id: Annotated[str | None, typer.Option(help="The device of these events.")] = None,
    event_timestamp: Annotated[str | None, typer.Option(help="The time of these events.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say where events are: stored, held or unknown."""
    session = Session.of(ctx, as_json=as_json)
    given = {"device_id": device_id, "event_timestamp": event_timestamp}
    wanted = {name: value for name, value in given.items() if value is not None}
    document = session.tenant.post(
        "events", "trace", body={"ids": [{"event_id": each, **wanted} for each in event_ids]}
    )
    queue = document["queue"]
    age = "none was stored in the last 15 minutes" if queue["age_seconds"] is None else f"{queue['age_seconds']} s"
    session.terminal.show(
        document,
        table(document["events"], TRACED),
        f"From receipt to storage (99 of 100 events): {age}. Last event stored at: {queue['last_stored_at'] or '-'}",
    )


def _line(event: Row) -> str:
    amount = f"  {event['revenue']} {event['currency']}" if event["revenue"] not in {"0", None} else ""
    names = f"{event['event_type']}  {event['event_name']}  {event['platform']}  {event['device_id']}"
    return f"{event['event_timestamp']}  {names}  {event['event_id']}{amount}"
