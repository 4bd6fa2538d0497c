"""Whether the API answers."""

import typer

from scripts.tenantctl.commands import AsJson, Output, add_command
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import facts


def add_to(app: typer.Typer) -> None:
    """Add the command to *app*."""
    output = Output(method="GET", path="/health")
    add_command(app, "health", output=output, examples=("health",))(check_health)


def check_health(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Ask the API whether it answers. It needs no key."""
    session = Session.of(ctx, as_json=as_json)
    document = session.public.get("health")
    shown = {
        **document,
        "profile": session.profile.name,
        "api_url": session.profile.api_url,
    }
    session.terminal.show(document, facts(shown, ("status", "profile", "api_url")))
