"""DNS names: their addresses, TXT and CNAME records, as the resolver of the settings answers."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from dns.exception import DNSException
from dns.rdatatype import AAAA, CNAME, TXT, A, RdataType
from dns.resolver import NXDOMAIN, Resolver

from tenancy.errors import FetchFault, UnreachableUrlError
from tenancy.rules.durations import DNS_LOOK_UP_SECONDS
from tenancy.rules.fetching import MAX_RECORD_CHARACTERS, MAX_RECORDS
from tenancy.rules.public_addresses import Address
from tenancy.rules.tenant_urls import HostAndPort, is_address
from tenancy.stores.internet.deadline import Deadline

LOOPBACK = "127.0.0.1"
LOCALHOST = "localhost"


class Names:
    """A resolver of DNS names. It keeps no answers."""

    def __init__(self, resolver: HostAndPort | None) -> None:
        """Ask *resolver*, an IP address and a port. None is that of the system."""
        self._address = resolver

    def list_addresses(self, host: str, deadline: Deadline) -> list[Address]:
        """Return the addresses of *host*, those of IPv4 first.

        `localhost` and the names below it are this machine in every resolver (RFC 6761).

        Raises:
            UnreachableUrlError: the servers of the name do not answer, or there is no address.
        """
        if is_address(host):
            return [ip_address(host)]
        if host.rpartition(".")[2] == LOCALHOST:
            return [ip_address(LOOPBACK)]
        found = [ip_address(record.to_text()) for kind in (A, AAAA) for record in self._resolve(host, kind, deadline)]
        if not found:
            raise UnreachableUrlError(FetchFault.NO_ADDRESS)
        return found

    def list_txt_records(self, name: str, deadline: Deadline) -> tuple[str, ...]:
        """Return the TXT records of *name* itself, none if it does not exist.

        Records of a name that a CNAME record of *name* leads to are not its own: a wildcard may lead to the servers of
        a third party, which would then prove each name below it. Long records, and those with other characters than
        ASCII, are left out.

        Raises:
            UnreachableUrlError: the servers of the name do not answer.
        """
        texts = (b"".join(record.strings) for record in self._resolve(name, TXT, deadline, is_own=True))
        fitting = [text.decode() for text in texts if len(text) <= MAX_RECORD_CHARACTERS and text.isascii()]
        return tuple(fitting[:MAX_RECORDS])

    def list_cname_records(self, name: str, deadline: Deadline) -> tuple[str, ...]:
        """Return the names that the CNAME records of *name* lead to, none if it does not exist.

        Raises:
            UnreachableUrlError: the servers of the name do not answer.
        """
        return tuple(record.target.to_text() for record in self._resolve(name, CNAME, deadline))[:MAX_RECORDS]

    def _resolve(self, name: str, kind: RdataType, deadline: Deadline, *, is_own: bool = False) -> Iterator[Any]:
        seconds = deadline.remaining(DNS_LOOK_UP_SECONDS)
        try:
            answer = self._resolver().resolve(f"{name}.", kind, lifetime=seconds, raise_on_no_answer=False)
        except NXDOMAIN:
            return
        except DNSException as error:
            raise UnreachableUrlError(FetchFault.NO_DNS_ANSWER) from error
        if not is_own or answer.canonical_name == answer.qname:
            yield from answer.rrset or ()

    def _resolver(self) -> Resolver:
        resolver = Resolver(configure=self._address is None)
        if self._address is not None:
            resolver.nameservers, resolver.port = [self._address[0]], self._address[1]
        return resolver
