"""The command line of moves: ``python -m scripts.move organization ID --to NAME --databases FILE``.

docs/operations.md, "Move an organization", has the file and the steps around it.
"""

import argparse
import secrets
import sys
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg

from scripts.move.databases import Connections, read_databases
from scripts.move.errors import MoveError
from scripts.move.organization import complete_moves, move_bucket, move_organization
from scripts.move.reconciliation import reconcile_homes
from scripts.move.values import enter_all

PASSWORD_BYTES: Final = 32
FENCE_SECONDS: Final = 5  # statements of functions end after 10 s
GRACE_SECONDS: Final = 60.0  # longer than a request that provisions an organization


def main() -> int:
    """Run one command, and return 1 after a failure."""
    arguments = _parse_arguments()
    try:
        databases = read_databases(arguments.databases)
        with Connections(databases, secrets.token_urlsafe(PASSWORD_BYTES)) as connections:
            _run(connections, arguments)
    except MoveError as error:
        print(f"move: {error}", file=sys.stderr)
        return 1
    except psycopg.Error as error:
        print(f"move: {describe(error)}", file=sys.stderr)
        return 1
    return 0


def describe(error: psycopg.Error) -> str:
    """Return the sentence about an error of PostgreSQL, with the next step.

    Another run helps after a broken connection, and not if a right or a table is missing.
    """
    can_pass = isinstance(error, psycopg.OperationalError)
    step = "Run the same command again." if can_pass else 'See docs/operations.md, "Move an organization".'
    return f"PostgreSQL: {str(error).strip()} {step}"


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"move: {line}", flush=True)


def _run(connections: Connections, arguments: argparse.Namespace) -> None:
    fence_seconds: int = getattr(arguments, "fence_seconds", FENCE_SECONDS)
    if arguments.command == "organization":
        move_organization(connections, arguments.id, arguments.to, say, fence_seconds=fence_seconds)
    elif arguments.command == "bucket":
        grace_seconds: float = arguments.grace_seconds
        move_bucket(
            connections, arguments.number, arguments.to, say, fence_seconds=fence_seconds, grace_seconds=grace_seconds
        )
    elif arguments.command == "reconcile":
        reconcile_homes(connections, dict(arguments.restored), dict(arguments.keep), say, given_up=arguments.given_up)
    elif arguments.command == "values":
        enter_all(connections, say, grace_seconds=arguments.grace_seconds)
    else:
        complete_moves(connections, say)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.move", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    organization = commands.add_parser("organization", help="move an organization")
    organization.add_argument("id", type=UUID, help="the id of the organization")
    bucket = commands.add_parser("bucket", help="move a bucket: its organizations, and its future ones")
    bucket.add_argument("number", type=int, help="0 to 1023")
    values = commands.add_parser("values", help="enter the unique values of all organizations into the catalogue")
    for command in (bucket, values):
        command.add_argument("--grace-seconds", type=float, default=GRACE_SECONDS, help="the longest time of a request")
    complete = commands.add_parser("complete", help="complete or undo interrupted moves")
    reconcile = commands.add_parser("reconcile", help="give each organization one home after a restore")
    reconcile.add_argument(
        "--restored",
        type=_parse_restored,
        action="append",
        required=True,
        metavar="NAME=TIME",
        help="a restored database and the time of its backup, such as 2026-11-29T10:00:00Z; repeat it for each one",
    )
    reconcile.add_argument(
        "--keep",
        type=_parse_kept,
        action="append",
        default=[],
        metavar="ID=NAME",
        help="an organization and the database of the copy to keep; repeat it for each organization",
    )
    reconcile.add_argument(
        "--given-up", action="append", default=[], metavar="NAME", help="a database that is lost and has no backup"
    )
    for command in (organization, bucket):
        command.add_argument("--to", required=True, help="the name of the target database")
        command.add_argument("--fence-seconds", type=int, default=FENCE_SECONDS, help="the longest time of the fence")
    for command in (organization, bucket, values, complete, reconcile):
        command.add_argument("--databases", type=Path, required=True, help="a JSON file with the URLs of all databases")
    return parser.parse_args()


def _parse_restored(text: str) -> tuple[str, datetime]:
    name, _, time = text.partition("=")
    parsed = datetime.fromisoformat(time)
    if parsed.tzinfo is None:
        raise ValueError(text)
    return name, parsed


def _parse_kept(text: str) -> tuple[UUID, str]:
    organization_id, _, name = text.partition("=")
    return UUID(organization_id), name


if __name__ == "__main__":
    sys.exit(main())
