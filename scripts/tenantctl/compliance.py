"""Compliance reports: that of the platform, and that of one organization."""

from typing import Any, Final

import typer

from scripts.tenantctl.api import Document
from scripts.tenantctl.commands import AsJson, FirstDay, LastDay, Noun, OrganizationName, Output
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import facts, table

PATH: Final = "/compliance/report"
FACTS: Final = ("generated_at", "from", "to", "organization_id")
SETTINGS: Final = ("subject", "aspect", "state", "detail")

noun: Final = Noun("compliance", "Compliance reports. docs/compliance.md says how to read them.")


@noun.command(
    "report",
    output=Output(method="GET", path=PATH),
    examples=("compliance report", "compliance report --from 2026-11-01 --to 2026-12-01 --json > report.json"),
)
def report(
    ctx: typer.Context, *, first_day: FirstDay = None, last_day: LastDay = None, as_json: AsJson = False
) -> None:
    """Show the report of the platform. With --json it has all rows that the API shows."""
    session = Session.of(ctx, as_json=as_json)
    document = session.platform.get("compliance", "report", query={"from": first_day, "to": last_day})
    keys, deletions = document["keys"], document["deletions"]
    numbers = {
        **_numbers(document),
        "deletions": deletions["count"],
        "overdue_deletions": deletions["overdue"],
        "overdue_platform_keys": sum(each["is_overdue"] for each in keys["platform"]["shown"]),
        "organizations_with_overdue_keys": keys["organizations"]["count"],
        **{f"drift_of_{name}": number for name, number in document["drift"].items() if name.endswith("_events")},
    }
    _show(session, document, numbers)


@noun.command(
    "show",
    output=Output(method="GET", path=f"/organizations/{{organization_id}}{PATH}"),
    examples=("compliance show acme", "compliance show acme --json > report.json"),
)
def show(
    ctx: typer.Context,
    org: OrganizationName,
    *,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    as_json: AsJson = False,
) -> None:
    """Show the report of an organization. With --json it has all rows that the API shows."""
    session = Session.of(ctx, as_json=as_json)
    parts = ("organizations", session.organization_id(org), "compliance", "report")
    document = session.platform.get(*parts, query={"from": first_day, "to": last_day})
    numbers = {
        **_numbers(document),
        "status": document["deletion"]["status"],
        "data_retention_days": document["retention"]["data_retention_days"],
        "audit_retention_days": document["retention"]["audit_retention_days"],
        "keys": document["keys"]["count"],
        "overdue_keys": document["keys"]["overdue"],
    }
    _show(session, document, numbers)


def _numbers(document: Document) -> dict[str, Any]:
    security, access, erasures = document["row_level_security"], document["access"], document["erasures"]
    return {
        "protected_tables": security["protected"],
        "unprotected_tables": ", ".join(security["unprotected"]) or "none",
        "actions_of_operators": access["operators"]["count"],
        "exports": access["exports"]["count"],
        "audit_reads": access["audit_reads"]["count"],
        "mismatches": document["mismatches"]["count"],
        "pending_erasures": erasures["pending"],
        "overdue_erasures": erasures["overdue"],
    }


def _incomplete(access: Document, limits: Document) -> str:
    since = access["entries_since"]
    if access["read_entries"] < limits["read_entries"]:
        return f"Retention has deleted entries of audit logs before {since}. Ask for a later period."
    return "The audit log is longer than the report reads. Ask for a shorter period."


def _show(session: Session, document: Document, numbers: dict[str, Any]) -> None:
    settings = [*document["encryption"], *document["retention"]["buckets"], *document["backups"]]
    is_complete = document["access"]["is_complete"]
    session.terminal.show(
        document,
        facts(document, FACTS),
        "",
        facts(numbers, tuple(numbers)),
        "" if is_complete else _incomplete(document["access"], document["limits"]),
        table(settings, SETTINGS),
    )
