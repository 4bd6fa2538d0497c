"""Organizations: list, create, show, change and delete them."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import typer

from scripts.tenantctl.api import Document
from scripts.tenantctl.commands import AsJson, Confirmed, Everything, Limit, Noun, OrganizationName, Output, Repeating
from scripts.tenantctl.erasure import wait_for_erasure
from scripts.tenantctl.errors import CommandError, ExitCode
from scripts.tenantctl.keyring import read_secret
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import facts, table

PASSWORD_VARIABLE: Final = "TENANTCTL_ADMIN_PASSWORD"  # noqa: S105 - the name of a variable
COLUMNS: Final = ("id", "name", "subdomain", "tier", "status", "created_at")
FACTS: Final = (
    *COLUMNS[:5],
    "overrides",
    "created_at",
    "updated_at",
    "deleted_at",
    "purge_at",
    "deletion_reason",
)
OVERRIDE_WORDS: Final[Mapping[str, bool | str | None]] = {
    "true": True,
    "yes": True,  # as the tables show it
    "false": False,
    "no": False,
    "unlimited": "unlimited",
    "tier": None,
}
ORGANIZATION: Final = "/organizations/{organization_id}"

Tier = Literal["starter", "growth", "enterprise"]
Status = Literal["active", "suspended", "deleted", "erasing", "erased"]

noun: Final = Noun("orgs", "Organizations: list, create, change, delete.")


@noun.command(
    "list",
    output=Output(method="GET", path="/organizations"),
    examples=("orgs list", "orgs list --tier growth --status active --limit 10", "orgs list --all --json"),
)
def list_organizations(
    ctx: typer.Context,
    *,
    status: Annotated[Status | None, typer.Option(help="Only organizations with this status.")] = None,
    tier: Annotated[Tier | None, typer.Option(help="Only organizations of this tier.")] = None,
    limit: Limit = 100,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """List organizations, newest first."""
    session = Session.of(ctx, as_json=as_json)
    query = {"status": status, "tier": tier}
    document = session.platform.collect("organizations", query=query, limit=None if everything else limit)
    session.terminal.show(document, table(document["data"], COLUMNS, omitted_first=("created_at", "tier")))


@noun.command(
    "create",
    output=Output(method="POST", path="/organizations"),
    examples=(
        "orgs create --name Initech --subdomain initech --admin-email it@initech.example --password-stdin < password",
    ),
)
def create(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="Name for people.")],
    subdomain: Annotated[str, typer.Option(help="One DNS label.")],
    admin_email: Annotated[str, typer.Option(help="Address of the first super_admin.")],
    tier: Annotated[Tier, typer.Option(help="The tier.")] = "starter",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the administrator's password from standard input.")
    ] = False,
    idempotency_key: Repeating = None,
    as_json: AsJson = False,
) -> None:
    """Provision an organization. Its keys are shown only here.

    The administrator's password comes from standard input, the variable TENANTCTL_ADMIN_PASSWORD, or a prompt.
    """
    session = Session.of(ctx, as_json=as_json)
    api = session.platform
    password = read_secret(
        "Password of the administrator", PASSWORD_VARIABLE, environ=os.environ, is_on_stdin=password_stdin
    )
    body = {
        "name": name,
        "subdomain": subdomain,
        "admin_email": admin_email,
        "admin_password": password,
        "tier": tier,
    }
    document = api.create("organizations", body=body, idempotency_key=idempotency_key)
    shown = {**document["organization"], "write_key": document["write_key"], "secret_key": document["secret_key"]}
    session.terminal.show(document, facts(shown, (*FACTS, "write_key", "secret_key")))
    session.terminal.note("The keys are shown only here.")


@noun.command("show", output=Output(method="GET", path=ORGANIZATION), examples=("orgs show acme",))
def show(ctx: typer.Context, org: OrganizationName, *, as_json: AsJson = False) -> None:
    """Show an organization with its entitlements."""
    session = Session.of(ctx, as_json=as_json)
    show_organization(session, session.platform.get("organizations", session.organization_id(org)))


@noun.command("suspend", output=Output(method="PATCH", path=ORGANIZATION), examples=("orgs suspend acme --yes",))
def suspend(ctx: typer.Context, org: OrganizationName, *, yes: Confirmed = False, as_json: AsJson = False) -> None:
    """Refuse all requests of an organization, until it is restored."""
    session = Session.of(ctx, as_json=as_json)
    found = confirmed(session, "suspend", org, is_confirmed=yes)
    show_organization(session, session.platform.patch("organizations", found["id"], body={"status": "suspended"}))


@noun.command(
    "restore",
    output=Output(method="POST", path=f"{ORGANIZATION}/restore"),
    examples=("orgs restore acme",),
)
def restore(ctx: typer.Context, org: OrganizationName, *, as_json: AsJson = False) -> None:
    """Undo a suspension, or a deletion before its grace period ends."""
    session = Session.of(ctx, as_json=as_json)
    organization_id = session.organization_id(org)
    status = session.platform.get("organizations", organization_id)["status"]
    if status == "active":
        detail = "The organization is active. Only a suspended or a deleted one can be restored."
        raise CommandError.of(ExitCode.CONFLICT, "not_deleted", detail)
    if status == "suspended":
        document = session.platform.patch("organizations", organization_id, body={"status": "active"})
    else:
        document = session.platform.post("organizations", organization_id, "restore")
    show_organization(session, document)


@noun.command(
    "delete",
    output=Output(method="DELETE", path=ORGANIZATION),
    examples=('orgs delete acme --reason "The contract has ended." --yes',),
)
def delete(
    ctx: typer.Context,
    org: OrganizationName,
    *,
    reason: Annotated[str, typer.Option(help="The reason, for the audit log.")],
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the certificate of the erasure.")] = False,
    yes: Confirmed = False,
    as_json: AsJson = False,
) -> None:
    """Delete an organization. It can be restored until its grace period ends."""
    session = Session.of(ctx, as_json=as_json)
    found = confirmed(session, "delete", org, is_confirmed=yes)
    document = session.platform.delete("organizations", found["id"], body={"reason": reason})
    session.terminal.show(document, facts({"id": found["id"], **document}, ("id", "status", "deleted_at", "purge_at")))
    if wait:
        wait_for_erasure(session, found["id"])
        session.terminal.note(f"Erased. Certificate: tenantctl certificate show {found['id']} --json")


@noun.command(
    "override",
    output=Output(method="PATCH", path=ORGANIZATION),
    examples=("orgs override acme events_per_month=20000000 users=unlimited sso=true", "orgs override acme users=tier"),
)
def override(
    ctx: typer.Context,
    org: OrganizationName,
    changes: Annotated[list[str], typer.Argument(metavar="ENTITLEMENT=VALUE", help="The overrides.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Override entitlements of an organization.

    A value is a number, `true` or `yes`, `false` or `no`, or `unlimited`. The value `tier` removes the override.
    """
    session = Session.of(ctx, as_json=as_json)
    overrides = dict(map(parse_override, changes))
    organization_id = session.organization_id(org)
    show_organization(session, session.platform.patch("organizations", organization_id, body={"overrides": overrides}))


@noun.command("move-tier", output=Output(method="PATCH", path=ORGANIZATION), examples=("orgs move-tier acme growth",))
def move_tier(
    ctx: typer.Context,
    org: OrganizationName,
    tier: Annotated[Tier, typer.Argument(help="The new tier.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Move an organization to another tier. Its limits apply at the next request."""
    session = Session.of(ctx, as_json=as_json)
    organization_id = session.organization_id(org)
    show_organization(session, session.platform.patch("organizations", organization_id, body={"tier": tier}))


def confirmed(session: Session, action: str, named: str, *, is_confirmed: bool) -> Document:
    """Return the organization *named*, after its subdomain was typed to confirm *action*.

    Raises:
        CommandError: another text was typed.
    """
    found = session.platform.get("organizations", session.organization_id(named))
    session.terminal.confirm(
        f"{action} {found['name']}", "its subdomain", found["subdomain"], is_confirmed=is_confirmed
    )
    return found


def parse_override(text: str) -> tuple[str, int | bool | str | None]:
    """Return the entitlement and the value of a text such as ``users=20``.

    Raises:
        CommandError: it has another form.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise CommandError.usage(f"{text} is no override such as users=20, sso=true, users=unlimited or users=tier.")
    if value in OVERRIDE_WORDS:
        return name, OVERRIDE_WORDS[value]
    if not re.fullmatch(r"-?[0-9]{1,19}", value):
        raise CommandError.usage(
            f'The value "{value}" of {name} is none of: a number, true (or yes), false (or no), unlimited, and tier, '
            "which removes the override."
        )
    return name, int(value)


def show_organization(session: Session, document: Document) -> None:
    """Show an organization and its entitlements."""
    entitlements = [
        {
            "entitlement": name,
            "value": "unlimited" if value is None else value,
            "overridden": name in document["overrides"],
        }
        for name, value in document["entitlements"].items()
    ]
    columns = ("entitlement", "value", "overridden")
    session.terminal.show(document, facts(document, FACTS), "", table(entitlements, columns))
