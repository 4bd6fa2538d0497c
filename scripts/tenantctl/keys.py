"""Keys of an organization: with its secret key, or as the operator with --org."""

from typing import Annotated, Final, Literal

import typer

from scripts.tenantctl.api import Api
from scripts.tenantctl.commands import AsJson, Confirmed, Everything, Limit, Noun, Output, Repeating
from scripts.tenantctl.key_rows import Overlap, RowsOfKeys, revoked
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import facts, table

COLUMNS: Final = ("id", "type", "name", "status", "prefix", "hint", "last_used_at", "expires_at", "rotate_by", "scopes")
OMITTED_FIRST: Final = ("scopes", "rotate_by", "prefix", "last_used_at", "expires_at")
NEW: Final = ("id", "type", "name", "app_id", "scopes", "expires_at", "rotate_by", "replaces", "key")

KeyType = Literal["write", "secret"]
AsOperator = Annotated[str | None, typer.Option("--org", help="Act as the operator on this organization.")]
KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="Id of the key.")]

noun: Final = Noun("keys", "Keys of an organization, with its secret key (TENANTCTL_SECRET_KEY) or with --org.")


@noun.command(
    "list", output=Output(method="GET", path="/keys"), examples=("keys list", "keys list --org acme --all --json")
)
def list_keys(
    ctx: typer.Context,
    *,
    org: AsOperator = None,
    limit: Limit = 100,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """List the keys in any state, newest first."""
    session = Session.of(ctx, as_json=as_json)
    api, parts = _keys_of(session, org)
    document = api.collect(*parts, limit=None if everything else limit)
    session.terminal.show(document, table(document["data"], COLUMNS, omitted_first=OMITTED_FIRST))


@noun.command(
    "create",
    output=Output(method="POST", path="/keys"),
    examples=("keys create --type secret --name Billing --scope usage:read --scope stats:read",),
)
def create(
    ctx: typer.Context,
    *,
    kind: Annotated[KeyType, typer.Option("--type", help="For apps, or for servers.")],
    name: Annotated[str, typer.Option(help="Name for people.")],
    app_id: Annotated[str | None, typer.Option(help="The app; required for a write key.")] = None,
    scopes: Annotated[list[str] | None, typer.Option("--scope", help="A permission. Repeat it for more.")] = None,
    expires_at: Annotated[str | None, typer.Option(help="The end of the key, an RFC 3339 time.")] = None,
    idempotency_key: Repeating = None,
    as_json: AsJson = False,
) -> None:
    """Create a key. Its text is shown only here.

    The caller needs `keys:write` and each scope of the new key. TENANTCTL_SECRET_KEY may hold an access token.
    """
    session = Session.of(ctx, as_json=as_json)
    given = {"type": kind, "name": name, "app_id": app_id, "scopes": scopes or None, "expires_at": expires_at}
    body = {member: value for member, value in given.items() if value is not None}
    document = session.tenant.create("keys", body=body, idempotency_key=idempotency_key)
    session.terminal.show(document, facts(document, NEW))
    session.terminal.note("The key is shown only here.")


@noun.command(
    "rotate",
    output=Output(method="POST", path="/keys/{key_id}/rotate"),
    examples=("keys rotate 7c9e6679-7425-40de-944b-e07fc1f90ae7 --overlap-seconds 86400",),
)
def rotate(
    ctx: typer.Context,
    key_id: KeyId,
    *,
    overlap_seconds: Overlap = 0,
    yes: Confirmed = False,
    idempotency_key: Repeating = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key. The new key is shown only here. Without an overlap the old one ends at once."""
    session = Session.of(ctx, as_json=as_json)
    rows = RowsOfKeys(session=session, api=session.tenant, parts=("keys",))
    rows.confirm("rotate", key_id, is_confirmed=yes or overlap_seconds > 0)
    body = {"overlap_seconds": overlap_seconds}
    document = session.tenant.create("keys", key_id, "rotate", body=body, idempotency_key=idempotency_key)
    session.terminal.show(document, facts(document, NEW))
    session.terminal.note("The key is shown only here.")


@noun.command(
    "revoke",
    output=revoked,
    examples=(
        "keys revoke 7c9e6679-7425-40de-944b-e07fc1f90ae7 --yes",
        "keys revoke 7c9e6679-7425-40de-944b-e07fc1f90ae7 --org acme --yes",
    ),
)
def revoke(
    ctx: typer.Context, key_id: KeyId, *, org: AsOperator = None, yes: Confirmed = False, as_json: AsJson = False
) -> None:
    """Revoke a key. It is refused at its next request."""
    session = Session.of(ctx, as_json=as_json)
    api, parts = _keys_of(session, org)
    RowsOfKeys(session=session, api=api, parts=parts).revoke(key_id, is_confirmed=yes)


def _keys_of(session: Session, org: str | None) -> tuple[Api, tuple[str, ...]]:
    """Return the API and the path of an organization's keys: its own, or the operator's."""
    if org is None:
        return session.tenant, ("keys",)
    return session.platform, ("organizations", session.organization_id(org), "keys")
