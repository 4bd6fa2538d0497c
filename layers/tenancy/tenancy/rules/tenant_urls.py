"""URLs that tenants give: which ones may be fetched, and their parts."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urldefrag, urljoin, urlsplit

from tenancy.errors import FetchFault, UnreachableUrlError
from tenancy.rules.domain_names import parse_domain_name, parse_host_name

HTTPS_PORT: Final = 443
URL_MAX_CHARACTERS: Final = 2_048

type HostAndPort = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantUrl:
    """The parts of a URL that may be fetched. *target* is its path with its query.

    Only the hosts of the setting `PRIVATE_HOSTS_ALLOWED` may have addresses that are not public.
    """

    text: str
    host: str
    port: int
    target: str
    may_be_private: bool

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` names them."""
        return self.host if self.port == HTTPS_PORT else f"{self.host}:{self.port}"


def parse_url(text: str, private_hosts: AbstractSet[HostAndPort] = frozenset()) -> TenantUrl:
    """Return the parts of *text*, an absolute URL with https, a domain name and no port but 443.

    The *private_hosts* are excepted: they may have another port, and be addresses.

    Raises:
        UnreachableUrlError: *text* is no such URL.
    """
    if len(text) > URL_MAX_CHARACTERS or not text.isascii() or not text.isprintable() or set(text) & set(' \\"<>'):
        raise UnreachableUrlError(FetchFault.INVALID_URL)
    try:
        url = urlsplit(urldefrag(text).url)
        given, port = url.hostname or "", HTTPS_PORT if url.port is None else url.port
    except ValueError as error:
        raise UnreachableUrlError(FetchFault.INVALID_URL) from error
    if url.scheme != "https" or "@" in url.netloc:
        raise UnreachableUrlError(FetchFault.INVALID_URL)
    host = _host(given, port, private_hosts)
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    may_be_private = (host, port) in private_hosts
    if port != HTTPS_PORT and not may_be_private:
        raise UnreachableUrlError(FetchFault.INVALID_URL)
    return TenantUrl(text=text, host=host, port=port, target=target, may_be_private=may_be_private)


def redirected(url: TenantUrl, location: str, private_hosts: AbstractSet[HostAndPort]) -> TenantUrl:
    """Return the URL that *location*, a header of the answer of *url*, leads to.

    Raises:
        UnreachableUrlError: it leads to a URL that may not be fetched.
    """
    if len(location) > URL_MAX_CHARACTERS:
        raise UnreachableUrlError(FetchFault.INVALID_URL)
    try:
        return parse_url(urljoin(url.text, location), private_hosts)
    except ValueError as error:
        raise UnreachableUrlError(FetchFault.INVALID_URL) from error


def is_address(host: str) -> bool:
    """Tell whether *host* is an IP address in its usual notation."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _host(given: str, port: int, private_hosts: AbstractSet[HostAndPort]) -> str:
    if (given, port) in private_hosts and is_address(given):
        return given
    try:
        host = parse_host_name(given)
        return host if (host, port) in private_hosts else parse_domain_name(host)
    except ValueError as error:
        raise UnreachableUrlError(FetchFault.INVALID_URL) from error
