"""The file of databases: a name, and the URLs of its administrator and its owner.

The connections go to the servers themselves. RDS Proxy carries no replication.
"""

import json
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scripts.move.errors import MoveError
from tenancy.rules.homes import CATALOGUE

MOVER: Final = "tenancy_mover"
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
CONNECT_SECONDS: Final = 10
# The text of a row must be the same on both sides.
ROW_TEXT: Final = (
    "SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET extra_float_digits = 1;"
    " SET bytea_output = 'hex'"
)

type Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrls:
    """The URLs of one database. *publisher* is its address for subscriptions of the others, with their TLS settings.

    The *administrator* may change the role `tenancy_mover`. The *owner* owns the tables.
    """

    administrator: str = field(repr=False)
    owner: str = field(repr=False)
    publisher: str = field(repr=False)

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> Self:
        """Return the URLs in *document*.

        Raises:
            KeyError, psycopg.ProgrammingError: a member is missing, is no URL, or the owner's URL names no database.
        """
        owner = str(document["owner"])
        urls = cls(
            administrator=str(document["administrator"]),
            owner=owner,
            publisher=str(document.get("publisher", owner)),
        )
        for url in (urls.administrator, urls.owner, urls.publisher):
            conninfo_to_dict(url)
        _name_of(owner)
        return urls


def read_databases(file: Path) -> Mapping[str, DatabaseUrls]:
    """Return the databases of *file*, a JSON object with the names as members.

    Raises:
        MoveError: other users can read the file, or it is not as docs/operations.md has it.
    """
    try:
        mode = file.stat().st_mode
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MoveError(f"{file} cannot be read as a JSON object: {error}.") from error
    if mode & OTHERS:
        raise MoveError(f"{file} has passwords, and other users can read it. Run: chmod 600 {file}")
    try:
        databases = {str(name): DatabaseUrls.parse(urls) for name, urls in document.items()}
    except (AttributeError, KeyError, TypeError, psycopg.ProgrammingError):
        message = f'{file}: expected {{"name": {{"administrator": URL, "owner": URL}}}} for each database.'
        raise MoveError(message) from None
    if CATALOGUE not in databases:
        raise MoveError(f'{file} lacks the database "{CATALOGUE}", which has the directory.')
    return MappingProxyType(databases)


def _name_of(url: str) -> str:
    """Return the name that PostgreSQL has for the database of *url*."""
    return str(conninfo_to_dict(url)["dbname"])


class Connections:
    """Open connections to the databases, each opened at its first use, and closed at the end of the block."""

    def __init__(self, databases: Mapping[str, DatabaseUrls], password: str) -> None:
        """Connect to *databases*, as `tenancy_mover` with *password*."""
        self.databases = databases
        self.password = password
        self._open: dict[tuple[str, str], Connection] = {}

    def __enter__(self) -> Self:
        """Return the connections."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        for connection in self._open.values():
            with suppress(psycopg.Error):
                connection.close()

    def administrator(self, name: str) -> Connection:
        """Return the connection of the administrator of database *name*."""
        url = make_conninfo(self.databases[name].administrator, dbname=self._database(name))
        return self._connect(name, "administrator", url)

    def owner(self, name: str) -> Connection:
        """Return the connection of the owner of database *name*."""
        return self._connect(name, "owner", self.databases[name].owner)

    def mover(self, name: str) -> Connection:
        """Return the connection of `tenancy_mover` to database *name*."""
        url = make_conninfo(self.databases[name].owner, user=MOVER, password=self.password)
        return self._connect(name, MOVER, url)

    def publisher(self, name: str) -> str:
        """Return how subscriptions of other databases connect to database *name*."""
        return make_conninfo(self.databases[name].publisher, user=MOVER, password=self.password)

    def _database(self, name: str) -> str:
        return _name_of(self.databases[name].owner)

    def _connect(self, name: str, role: str, url: str) -> Connection:
        found = self._open.get((name, role))
        if found is not None and not found.closed:
            return found
        try:
            opened = psycopg.connect(url, autocommit=True, prepare_threshold=None, connect_timeout=CONNECT_SECONDS)
        except psycopg.OperationalError as error:
            raise MoveError(f'The database "{name}" cannot be reached as {role}: {error}') from error
        opened.execute(ROW_TEXT)
        self._open[name, role] = opened
        return opened
