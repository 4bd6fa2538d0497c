"""Held events: count and release them."""

from typing import Final

import typer

from scripts.tenantctl.commands import AsJson, Noun, OrganizationName, Output
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import facts

PATH: Final = "/organizations/{organization_id}/held-events"

noun: Final = Noun("held", "Held events: count and release them.")


@noun.command("show", output=Output(method="GET", path=PATH), examples=("held show acme",))
def show(ctx: typer.Context, org: OrganizationName, *, as_json: AsJson = False) -> None:
    """Count the held events of an organization by reason."""
    session = Session.of(ctx, as_json=as_json)
    document = session.platform.get("organizations", session.organization_id(org), "held-events")
    session.terminal.show(document, facts(document, ("count", "reasons")))


@noun.command("release", output=Output(method="POST", path=f"{PATH}/release"), examples=("held release acme",))
def release(ctx: typer.Context, org: OrganizationName, *, as_json: AsJson = False) -> None:
    """Release the held events that are due, whether the quota has room or not."""
    session = Session.of(ctx, as_json=as_json)
    organization_id = session.organization_id(org)
    with session.terminal.waiting_quietly("Releasing"):
        document = session.platform.post("organizations", organization_id, "held-events", "release")
    session.terminal.show(document, facts(document, ("released", "waiting")))
