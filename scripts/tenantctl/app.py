"""The root command and its options."""

from typing import Annotated, Final

import typer

from scripts.tenantctl import (
    audit,
    certificate,
    compliance,
    dead_letters,
    events,
    health,
    held,
    keys,
    orgs,
    platform_keys,
    statistics,
    usage,
)
from scripts.tenantctl.commands import make_app
from scripts.tenantctl.session import GlobalOptions

TIMEOUT_SECONDS: Final = 60.0

app: Final = make_app("tenantctl")


@app.callback()
def choose(
    ctx: typer.Context,
    *,
    profile: Annotated[
        str | None, typer.Option(envvar="TENANTCTL_PROFILE", help="A profile. The default is the local stack.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for an answer.")] = TIMEOUT_SECONDS,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read the key from the first line of standard input.")
    ] = False,
) -> None:
    """Operate a tenancy platform over its HTTP API.

    Without a profile tenantctl finds the stack that `make up` started, from this folder upwards.
    """
    ctx.obj = GlobalOptions(profile=profile, timeout_seconds=timeout, is_key_on_stdin=key_stdin)


for noun in (orgs, events, held, dead_letters, keys, platform_keys, audit, compliance, certificate):
    app.add_typer(noun.noun.app)
usage.add_to(app)
statistics.add_to(app)
health.add_to(app)
