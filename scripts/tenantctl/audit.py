"""The audit log of an organization: show the newest entries, and verify the chain of seals."""

from typing import Annotated, Any, Final, Literal

import typer

from scripts.tenantctl.api import Document
from scripts.tenantctl.commands import AsJson, FirstDay, LastDay, Limit, Noun, OrganizationName, Output
from scripts.tenantctl.errors import CommandError, ExitCode
from scripts.tenantctl.following import Tail, follow, show_newest
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import Row, facts

PATH: Final = "/organizations/{organization_id}/audit"
FACTS: Final = ("valid", "broken", "first_sequence", "last_sequence", "last_seal", "unsealed", "checkpoint")

Outcome = Literal["done", "refused"]

noun: Final = Noun("audit", "Audit logs. The platform's own is that of 00000000-0000-0000-0000-000000000000.")


@noun.command(
    "tail",
    output=Output(method="GET", path=PATH, is_lines=True, rows="data"),
    examples=("audit tail acme", "audit tail acme --outcome refused --limit 5 --json"),
)
def tail_entries(  # noqa: PLR0913 - one parameter for each option
    ctx: typer.Context,
    org: OrganizationName,
    *,
    following: Annotated[bool, typer.Option("--follow", help="Show new entries until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=1, help="Seconds between two looks with --follow.")] = 5,
    limit: Limit = 20,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    actor: Annotated[str | None, typer.Option(help="Only this key or user, by its id.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Only this outcome.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest entries, oldest first. With --json each line is one entry."""
    session = Session.of(ctx, as_json=as_json)
    parts = ("organizations", session.organization_id(org), "audit")
    query = {"from": first_day, "to": last_day, "actor": actor, "action": action, "outcome": outcome}
    tail = Tail(
        read_page=lambda rows, cursor: session.platform.get(*parts, query={**query, "limit": rows, "cursor": cursor}),
        key_of=lambda row: row["id"],
        text_of=_line,
    )
    seen = show_newest(session, tail, limit=limit)
    if following:
        follow(session, tail, seen, interval_seconds=interval)


@noun.command("verify", output=Output(method="GET", path=f"{PATH}/verify"), examples=("audit verify acme",))
def verify(
    ctx: typer.Context,
    org: OrganizationName,
    *,
    after_sequence: Annotated[int | None, typer.Option(help="`last_sequence` of an earlier verification.")] = None,
    after_seal: Annotated[str | None, typer.Option(help="`last_seal` of the same.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the whole chain of seals. The exit code is 1 if it is broken.

    Keep `last_sequence` and `last_seal`, and start the next verification after them.
    """
    session = Session.of(ctx, as_json=as_json)
    parts = ("organizations", session.organization_id(org), "audit", "verify")
    after: dict[str, Any] = {"after_sequence": after_sequence, "after_seal": after_seal}
    document: Document = {}
    with session.terminal.waiting("Verifying") as show:
        while not document or (document["valid"] and not document["is_complete"]):
            step = session.platform.get(*parts, query=after)
            document = {**step, "first_sequence": document.get("first_sequence", step["first_sequence"])}
            after = {"after_sequence": step["last_sequence"], "after_seal": step["last_seal"]}
            show(f"Verified up to entry {step['last_sequence']:,}")
    session.terminal.show(document, facts(document, FACTS))
    if not document["valid"]:
        broken = document["broken"]
        detail = f"The chain is broken at entry {broken['sequence']}: {broken['reason']}"
        raise CommandError.of(ExitCode.CHECK_FAILED, "chain_broken", detail)


def _line(entry: Row) -> str:
    actor = entry["actor"]
    by = f"{actor['kind']} {actor['id']}"
    times = f"  ({entry['count']} times)" if entry["count"] > 1 else ""
    outcome = entry["outcome"] if not entry["code"] else f"{entry['outcome']} {entry['code']}"
    return f"{entry['occurred_at']}  {outcome}  {entry['action']}  {entry['target']}  by {by}{times}"
