"""What a person or a test decides about the stack, from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

PORT_VARIABLES = {
    "postgres": "POSTGRES_PORT",
    "valkey": "VALKEY_PORT",
    "clickhouse": "CLICKHOUSE_PORT",
    "aws": "AWS_PORT",
    "api": "API_PORT",
}
DELETION_GRACE_SECONDS = 20  # nobody waits 30 days for a look
LOOPBACK = "127.0.0.1"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - only where STACK_HOSTS asks for more than loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """Where the stack lives, which addresses it listens on, and which ports are not its own choice.

    ``hosts`` comes from STACK_HOSTS (comma-separated). Containers of ``sam local`` reach the services on the Docker
    bridge: ``STACK_HOSTS=127.0.0.1,172.17.0.1``.
    """

    root: Path
    directory: Path
    hosts: tuple[str, ...] = (LOOPBACK,)
    ports: Mapping[str, int] = field(default_factory=dict)
    deletion_grace_seconds: int = DELETION_GRACE_SECONDS

    @classmethod
    def from_env(cls, environ: Mapping[str, str], root: Path) -> Self:
        """The settings of the checkout at *root*.

        Raises:
            ValueError: a port or a duration is no number.
        """
        return cls(
            root=root,
            directory=(root / environ.get("STACK_DIR", ".local")).resolve(),
            hosts=tuple(environ.get("STACK_HOSTS", LOOPBACK).split(",")),
            ports={name: int(environ[key]) for name, key in PORT_VARIABLES.items() if environ.get(key)},
            deletion_grace_seconds=int(environ.get("DELETION_GRACE") or DELETION_GRACE_SECONDS),
        )

    @property
    def local_host(self) -> str:
        """The address under which this machine reaches the stack."""
        return LOOPBACK if LOOPBACK in self.hosts or EVERY_ADDRESS in self.hosts else self.hosts[0]

    @property
    def single_host(self) -> str:
        """One address that covers all hosts, for a server that binds only one."""
        return self.hosts[0] if len(self.hosts) == 1 else EVERY_ADDRESS
