"""The usage of an organization against its quotas."""

import typer

from scripts.tenantctl.commands import AsJson, FirstDay, LastDay, Limit, OrganizationName, Output, add_command
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import table

PAGE_ROWS = 1000
COLUMNS = ("metric", "used", "limit", "remaining")
DAYS = ("date", "events", "api_requests", "ingest_requests", "storage_bytes", "ml_predictions", "unique_users")


def add_to(app: typer.Typer) -> None:
    """Add the command to *app*."""
    output = Output(method="GET", path="/organizations/{organization_id}/usage")
    examples = ("usage acme", "usage acme --from 2026-11-01 --to 2026-12-01 --json")
    add_command(app, "usage", output=output, examples=examples)(show_usage)


def show_usage(
    ctx: typer.Context,
    org: OrganizationName,
    *,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    limit: Limit = 1000,
    as_json: AsJson = False,
) -> None:
    """Show the usage of this month against the quotas, and the usage of each day."""
    session = Session.of(ctx, as_json=as_json)
    parts = ("organizations", session.organization_id(org), "usage")
    query = {"from": first_day, "to": last_day}
    document = session.platform.collect(*parts, query=query, limit=limit, rows="daily", page_rows=PAGE_ROWS)
    quotas = [
        {"metric": metric, **{name: "unlimited" if value is None else value for name, value in quota.items()}}
        for metric, quota in document["quotas"].items()
    ]
    period, held = document["period"], document["held"]
    session.terminal.show(
        document,
        f"{document['organization_id']}, tier {document['tier']}",
        table(quotas, COLUMNS),
        f"held events: {held['count']:,}",
        "",
        f"From {period['start']} to before {period['end']}:",
        table(document["daily"], DAYS) if document["daily"] else "no usage",
    )
