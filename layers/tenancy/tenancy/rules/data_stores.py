"""The data stores that a stack makes with `CreateDataStores`: their addresses, credentials and connection URLs."""

import json
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import quote

DATABASE_NAME: Final = "tenancy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Host and port of a server."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return `host:port`."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataStores:
    """The servers of a stack. *master_secret* is the ARN of the secret with the master user of *cluster*.

    *proxy* pools connections to *cluster*, for roles whose secret it has.
    """

    cluster: ServerAddress
    proxy: ServerAddress
    redis: ServerAddress
    master_secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUser:
    """A user of a server and its password."""

    username: str
    password: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the log-in in *text*, a JSON object with `username` and `password` as RDS and its proxy store it.

        Raises:
            ValueError: *text* is no such object.
        """
        try:
            document = json.loads(text)
            username, password = document["username"], document["password"]
        except (KeyError, TypeError, ValueError):
            raise ValueError("Expected a JSON object with `username` and `password`.") from None
        if not (isinstance(username, str) and username and isinstance(password, str) and password):
            raise ValueError("Expected `username` and `password` as texts.")
        return cls(username=username, password=password)


def postgres_url(address: ServerAddress, log_in: ServerUser) -> str:
    """Return the URL of PostgreSQL at *address*, whose certificate is verified."""
    return f"postgresql://{_user_info(log_in)}@{address}/{DATABASE_NAME}?sslmode=verify-full"


def redis_url(address: ServerAddress, log_in: ServerUser) -> str:
    """Return the URL of Redis at *address*, with TLS."""
    return f"rediss://{_user_info(log_in)}@{address}"


def _user_info(log_in: ServerUser) -> str:
    return f"{quote(log_in.username, safe='')}:{quote(log_in.password, safe='')}"
