"""A DNS server on loopback, whose records a test sets."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, TXT, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from tests.free_ports import free_port

HOST = "127.0.0.1"
LONGEST_TXT_PART = 255
SILENCE_SECONDS = 30.0
DATA: dict[str, Any] = {"A": A, "AAAA": AAAA, "CNAME": CNAME}


@dataclass(slots=True)
class NameServer(BaseResolver):  # type: ignore[misc] # untyped
    """Answers from *records*, by name and type. Names without records do not exist. A CNAME record is followed once.

    It refuses the names in *failing*, and never answers those in *silent*.
    """

    port: int = 0
    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def put(self, name: str, kind: str, *values: str) -> None:
        self.records[name, kind] = list(values)

    def forget(self) -> None:
        """Forget all names."""
        for each in (self.records, self.failing, self.silent, self.asked):
            each.clear()

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:  # noqa: ARG002 - the library's interface
        name, kind = str(request.q.qname).rstrip("."), QTYPE[request.q.qtype]
        self.asked.append(f"{name} {kind}")
        if name in self.silent:
            time.sleep(SILENCE_SECONDS)
        reply = request.reply()
        if name in self.failing:
            reply.header.rcode = RCODE.SERVFAIL
        elif not any(known == name for known, _ in self.records):
            reply.header.rcode = RCODE.NXDOMAIN
        aliases = [] if kind == "CNAME" else self.records.get((name, "CNAME"), [])
        for target in aliases[:1]:
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(target), ttl=0))
            name = target.rstrip(".")
        for value in self.records.get((name, kind), []):
            reply.add_answer(RR(name, request.q.qtype, rdata=rdata_of(kind, value), ttl=0))
        return reply


def rdata_of(kind: str, value: str) -> Any:  # noqa: ANN401 - untyped
    if kind == "TXT":
        text = value.encode()
        return TXT([text[start : start + LONGEST_TXT_PART] for start in range(0, len(text), LONGEST_TXT_PART)])
    return DATA[kind](value)


@contextmanager
def running_name_server(port: int | None = None) -> Iterator[NameServer]:
    """Serve DNS over UDP and TCP on one port."""
    resolver = NameServer(port=port or free_port())
    quiet = DNSLogger("-request,-reply,-truncated,-error,-recv,-send,-data")
    with ExitStack() as opened:
        servers = []
        for tcp in (False, True):
            server = DNSServer(resolver, port=resolver.port, address=HOST, tcp=tcp, logger=quiet)
            opened.callback(server.server.server_close)
            servers.append(server)
        for server in servers:
            server.start_thread()
            opened.callback(server.stop)
        yield resolver
