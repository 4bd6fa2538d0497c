"""Deletion certificates: show one, and verify one from a file without a network."""

from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from scripts.tenantctl.certificate_checks import check_certificates
from scripts.tenantctl.commands import AsJson, Noun, OrganizationName, Output
from scripts.tenantctl.erasure import wait_for_erasure
from scripts.tenantctl.errors import CommandError, ExitCode
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import facts, table

PATH: Final = "/organizations/{organization_id}/deletion-certificate"
FACTS: Final = ("organization_id", "deleted_at", "gate_closed_at", "erased_at", "counted_at", "signing_key", "is_valid")
VERIFIED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "valid": {"type": "boolean"},
        "organization_id": {"type": ["string", "null"]},
        "erased_at": {"type": ["string", "null"]},
        "checks": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "check": {"type": "string"},
                    "passed": {"type": "boolean"},
                    "detail": {"type": "string"},
                },
                "required": ["check", "passed", "detail"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["valid", "organization_id", "erased_at", "checks"],
    "additionalProperties": False,
}

noun: Final = Noun("certificate", "Deletion certificates: show and verify them.")


@noun.command(
    "show",
    output=Output(method="GET", path=PATH),
    examples=("certificate show 9f74a91a-111e-43c6-8955-d43e11c6bfc3 --json > certificate.json",),
)
def show(
    ctx: typer.Context,
    org: OrganizationName,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the organization is erased.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the certificate of an erasure. An erased organization has only its id."""
    session = Session.of(ctx, as_json=as_json)
    organization_id = session.organization_id(org)
    if wait:
        document = wait_for_erasure(session, organization_id)
    else:
        document = session.platform.get("organizations", organization_id, "deletion-certificate")
    counts = [
        {"store": store, "table": name, "left": count}
        for store, tables in document["certificate"].get("counts", {}).items()
        for name, count in tables.items()
    ]
    columns = ("store", "table", "left")
    session.terminal.show(document, facts({**document, **document["certificate"]}, FACTS), "", table(counts, columns))


@noun.command(
    "verify",
    output=Output(schema=VERIFIED),
    examples=(
        "certificate verify certificate.json --public-key key.pem",
        "certificate verify certificate.json --public-key key.pem --org 9f74a91a-111e-43c6-8955-d43e11c6bfc3",
    ),
)
def verify(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The answer of the API, as `certificate show --json` writes it.")],
    *,
    public_key: Annotated[
        Path, typer.Option(help="The public half of SigningKey: PEM, DER, base64, or a JSON Web Key or key set.")
    ],
    org: Annotated[str | None, typer.Option(help="Id of the organization that must be certified.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify a certificate without a network: its signatures, its text and its counts. The exit code is 1 if one fails.

    `aws kms get-public-key --key-id KEY --query PublicKey --output text > key.txt` writes the public key. KEY is the
    `signing_key` of the certificate. docs/tenantctl.md has the command for the local stack.
    """
    session = Session.of(ctx, as_json=as_json)
    expected_id = None if org is None else _parse_id(org)
    checked = check_certificates(_read(file), _read(public_key), organization_id=expected_id)
    rows = [{**check, "passed": "ok" if check["passed"] else "FAILED"} for check in checked["checks"]]
    session.terminal.show(
        checked, facts(checked, ("organization_id", "erased_at")), "", table(rows, ("check", "passed", "detail"))
    )
    if not checked["valid"]:
        raise CommandError.of(ExitCode.CHECK_FAILED, "certificate_not_valid", "The certificate is not valid.")


def _parse_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        detail = f"--org {text}: Expected the id of an organization. A certificate has no name and no subdomain."
        raise CommandError.usage(detail) from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError.usage(f"{file} cannot be read: {error.strerror}.") from error
