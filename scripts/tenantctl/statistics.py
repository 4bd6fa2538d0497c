"""The statistics of an organization in groups."""

from typing import Annotated

import typer

from scripts.tenantctl.commands import AsJson, FirstDay, LastDay, Limit, OrganizationName, Output, add_command
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import table

PAGE_ROWS = 1000
NUMBERS = ("events", "unique_devices", "revenue")


def add_to(app: typer.Typer) -> None:
    """Add the command to *app*."""
    output = Output(method="GET", path="/organizations/{organization_id}/stats")
    examples = (
        "stats acme",
        "stats acme --group-by event_name,platform --order-by events",
        "stats acme --timezone Europe/Berlin --json",
    )
    add_command(app, "stats", output=output, examples=examples)(show_statistics)


def show_statistics(  # noqa: PLR0913 - one parameter for each option
    ctx: typer.Context,
    org: OrganizationName,
    *,
    group_by: Annotated[str, typer.Option(help="day, event_type, event_name, platform, currency, app_id.")] = "day",
    first_day: FirstDay = None,
    last_day: LastDay = None,
    timezone: Annotated[str | None, typer.Option(help="A name of the IANA time zone database.")] = None,
    app_id: Annotated[str | None, typer.Option(help="Only the events of this app, or `none`.")] = None,
    order_by: Annotated[str | None, typer.Option(help="key, events, revenue or unique_devices.")] = None,
    limit: Limit = 1000,
    as_json: AsJson = False,
) -> None:
    """Show events, revenue and unique devices in groups, by the time of the event."""
    session = Session.of(ctx, as_json=as_json)
    query = {
        "from": first_day,
        "to": last_day,
        "timezone": timezone,
        "group_by": group_by,
        "app_id": app_id,
        "order_by": order_by,
    }
    parts = ("organizations", session.organization_id(org), "stats")
    document = session.platform.collect(*parts, query=query, limit=limit, page_rows=PAGE_ROWS)
    groups = [name.strip() for name in group_by.split(",") if name.strip()]
    session.terminal.show(document, table(document["data"], (*groups, *NUMBERS)) if document["data"] else "no events")
