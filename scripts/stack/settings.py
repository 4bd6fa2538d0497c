"""The settings of the stack that a person or a test chooses, read from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from scripts.stack.errors import StackError

PORT_VARIABLES = {
    "postgres": "POSTGRES_PORT",
    "valkey": "VALKEY_PORT",
    "clickhouse": "CLICKHOUSE_PORT",
    "aws": "AWS_PORT",
    "api": "API_PORT",
    "names": "NAMES_PORT",  # tests listen on this port and the next two
    "oidc": "OIDC_PORT",
    "saml": "SAML_PORT",
}
LAST_PORT = 65_535
DELETION_GRACE_SECONDS = 20  # short enough to see an erasure
MAX_DELETION_GRACE_SECONDS = 365 * 86_400
LOOPBACK = "127.0.0.1"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - only where STACK_HOSTS asks for more than loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """The stack's folder, the addresses it listens on, and the ports that were asked for.

    The servers are those of the checkout at ``root``. The template and the functions are those of ``release``, another
    checkout, if there is one. So a stack is upgraded while its servers run.

    ``hosts`` comes from STACK_HOSTS (comma-separated). Containers of ``sam local`` reach the services on the Docker
    bridge: ``STACK_HOSTS=127.0.0.1,172.17.0.1``.
    """

    root: Path
    directory: Path
    hosts: tuple[str, ...] = (LOOPBACK,)
    ports: Mapping[str, int] = field(default_factory=dict)
    deletion_grace_seconds: int = DELETION_GRACE_SECONDS
    release: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str], root: Path) -> Self:
        """Return the settings of the checkout at *root*. An empty variable counts as not set.

        Raises:
            StackError: a port or a duration is out of range, or two services have the same port.
        """
        hosts = (host.strip() for host in environ.get("STACK_HOSTS", "").split(","))
        return cls(
            root=root,
            directory=(root / (environ.get("STACK_DIR") or ".local")).resolve(),
            hosts=tuple(filter(None, hosts)) or (LOOPBACK,),
            ports=_read_ports(environ),
            deletion_grace_seconds=_read_number(
                environ, "DELETION_GRACE", range(MAX_DELETION_GRACE_SECONDS + 1), DELETION_GRACE_SECONDS
            ),
        )

    @property
    def sources(self) -> Path:
        """Return the checkout with the template and the functions."""
        return self.release or self.root

    @property
    def bundle(self) -> Path:
        """Return the folder for the built template and functions."""
        return (self.release / ".local" if self.release else self.directory) / "build"

    @property
    def local_host(self) -> str:
        """Return the address under which this machine reaches the stack."""
        return LOOPBACK if LOOPBACK in self.hosts or EVERY_ADDRESS in self.hosts else self.hosts[0]

    @property
    def single_host(self) -> str:
        """Return one address that covers all hosts, for a server that binds only one."""
        return self.hosts[0] if len(self.hosts) == 1 else EVERY_ADDRESS


def _read_ports(environ: Mapping[str, str]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for name, variable in PORT_VARIABLES.items():
        if port := _read_number(environ, variable, range(1, LAST_PORT + 1), 0):
            if port in ports.values():
                other = next(PORT_VARIABLES[taken] for taken, number in ports.items() if number == port)
                raise StackError.same_port(other, variable, port)
            ports[name] = port
    return ports


def _read_number(environ: Mapping[str, str], variable: str, allowed: range, default: int) -> int:
    text = environ.get(variable, "").strip()
    if not text:
        return default
    number = int(text) if text.isascii() and text.isdecimal() else -1
    if number not in allowed:
        raise StackError.bad_number(variable, text, allowed)
    return number
