"""Platform keys: list, create, rotate and revoke them."""

from typing import Annotated, Final

import typer

from scripts.tenantctl.commands import AsJson, Confirmed, Everything, Limit, Noun, Output, Repeating
from scripts.tenantctl.key_rows import Overlap, RowsOfKeys, revoked
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import facts, table

PATH: Final = "/platform-keys"
COLUMNS: Final = ("id", "name", "status", "prefix", "hint", "last_used_at", "expires_at", "rotate_by", "replaced_by")
OMITTED_FIRST: Final = ("replaced_by", "rotate_by", "prefix", "last_used_at", "expires_at")
NEW: Final = ("id", "name", "expires_at", "rotate_by", "replaces", "key")

PlatformKeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="Id of the platform key.")]

noun: Final = Noun("platform-keys", "Platform keys: the operators' own.")


@noun.command("list", output=Output(method="GET", path=PATH), examples=("platform-keys list",))
def list_platform_keys(
    ctx: typer.Context, *, limit: Limit = 100, everything: Everything = False, as_json: AsJson = False
) -> None:
    """List the platform keys in any state, newest first."""
    session = Session.of(ctx, as_json=as_json)
    document = session.platform.collect("platform-keys", limit=None if everything else limit)
    session.terminal.show(document, table(document["data"], COLUMNS, omitted_first=OMITTED_FIRST))


@noun.command(
    "create",
    output=Output(method="POST", path=PATH),
    examples=('platform-keys create --name "On call"',),
)
def create(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="Name for people.")],
    expires_at: Annotated[str | None, typer.Option(help="The end of the key, an RFC 3339 time.")] = None,
    idempotency_key: Repeating = None,
    as_json: AsJson = False,
) -> None:
    """Create a platform key. Its text is shown only here."""
    session = Session.of(ctx, as_json=as_json)
    body = {"name": name} if expires_at is None else {"name": name, "expires_at": expires_at}
    document = session.platform.create("platform-keys", body=body, idempotency_key=idempotency_key)
    session.terminal.show(document, facts(document, NEW))
    session.terminal.note("The key is shown only here.")


@noun.command(
    "rotate",
    output=Output(method="POST", path=f"{PATH}/{{platform_key_id}}/rotate"),
    examples=("platform-keys rotate 7c9e6679-7425-40de-944b-e07fc1f90ae7 --overlap-seconds 3600",),
)
def rotate(
    ctx: typer.Context,
    key_id: PlatformKeyId,
    *,
    overlap_seconds: Overlap = 0,
    yes: Confirmed = False,
    idempotency_key: Repeating = None,
    as_json: AsJson = False,
) -> None:
    """Replace a platform key. The new key is shown only here. Without an overlap the old one ends at once."""
    session = Session.of(ctx, as_json=as_json)
    rows = RowsOfKeys(session=session, api=session.platform, parts=("platform-keys",))
    rows.confirm("rotate", key_id, is_confirmed=yes or overlap_seconds > 0)
    body = {"overlap_seconds": overlap_seconds}
    document = session.platform.create("platform-keys", key_id, "rotate", body=body, idempotency_key=idempotency_key)
    session.terminal.show(document, facts(document, NEW))
    session.terminal.note("The key is shown only here.")


@noun.command("revoke", output=revoked, examples=("platform-keys revoke 7c9e6679-7425-40de-944b-e07fc1f90ae7 --yes",))
def revoke(ctx: typer.Context, key_id: PlatformKeyId, *, yes: Confirmed = False, as_json: AsJson = False) -> None:
    """Revoke a platform key. It is refused at its next request."""
    session = Session.of(ctx, as_json=as_json)
    rows = RowsOfKeys(session=session, api=session.platform, parts=("platform-keys",))
    rows.revoke(key_id, is_confirmed=yes)
