"""Dead letters: list them and send them back to their queues."""

from typing import Final

import typer

from scripts.tenantctl.api import Document
from scripts.tenantctl.commands import AsJson, Everything, Limit, Noun, OrganizationName, Output
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import facts, table

PATH: Final = "/organizations/{organization_id}/dead-letters"
COLUMNS: Final = (
    "kind",
    "cause",
    "count",
    "events",
    "bytes",
    "redrivable",
    "redriven",
    "failed_again",
    "first_received_at",
    "last_received_at",
)
OMITTED_FIRST: Final = ("first_received_at", "bytes", "failed_again", "redriven", "last_received_at")

noun: Final = Noun("dead-letters", "Dead letters: list and redrive them.")


@noun.command(
    "list",
    output=Output(method="GET", path=PATH),
    examples=("dead-letters list acme", "dead-letters list 00000000-0000-0000-0000-000000000000"),
)
def list_letters(
    ctx: typer.Context,
    org: OrganizationName,
    *,
    limit: Limit = 100,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """List the dead letters of an organization by kind and cause. The id of zeros is the platform's."""
    session = Session.of(ctx, as_json=as_json)
    parts = ("organizations", session.organization_id(org), "dead-letters")
    document = session.platform.collect(*parts, limit=None if everything else limit)
    session.terminal.show(
        document,
        table(document["data"], COLUMNS, omitted_first=OMITTED_FIRST) if document["data"] else "no dead letters",
    )


@noun.command("redrive", output=Output(method="POST", path=f"{PATH}/redrive"), examples=("dead-letters redrive acme",))
def redrive(ctx: typer.Context, org: OrganizationName, *, as_json: AsJson = False) -> None:
    """Send dead letters back to their queues, each once, until none is waiting."""
    session = Session.of(ctx, as_json=as_json)
    organization_id = session.organization_id(org)
    with session.terminal.waiting("Sending dead letters back") as show:
        document: Document = {"redriven": 0, "waiting": 1}
        is_moving = True
        while document["waiting"] and is_moving:
            step = session.platform.post("organizations", organization_id, "dead-letters", "redrive")
            is_moving = step["redriven"] > 0
            document = {"redriven": document["redriven"] + step["redriven"], "waiting": step["waiting"]}
            show(f"{document['redriven']:,} sent back, {document['waiting']:,} waiting")
    session.terminal.show(document, facts(document, ("redriven", "waiting")))
