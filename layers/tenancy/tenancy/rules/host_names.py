"""Host names in a request: below the base domain, the API's own, or a name that may be a custom domain."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

import msgspec

HOST: Final = re.compile(r"([^:]*?)\.?(?::[0-9]{0,5})?")  # a name, optional trailing dot, optional port
MAX_HOST_CHARACTERS: Final = 260  # a name of 253 characters (RFC 1035), a dot and a port
KEPT_HOSTS: Final = 1_000
BASE: Final = "BASE"  # stands for the base domain itself; labels are in lower case
IDEOGRAPHIC_FULL_STOP: Final = "\u3002"  # IDNA reads it as a dot (RFC 3490, 3.1)
# A stored custom domain has at least two labels, and the last one begins with a letter (rules/domain_names.py).
CUSTOM_NAME: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
# API Gateway's own endpoints, which no organization can prove to be its own: of APIs (`<id>`), of APIs in VPCs
# (`<id>-vpce-…`), of custom domain names (`d-…`) and of VPC endpoints (`vpce-…`), with IPv4 or as dual stack.
ENDPOINT: Final = re.compile(
    r"[a-z0-9-]+\.execute-api\.[a-z0-9-]+\."
    r"(?:(?:vpce\.)?amazonaws\.com(?:\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)"
)


class PlatformHosts(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts of the platform: those below *base_domain* (in lower case), and *api_host*, which may have a port."""

    base_domain: str
    api_host: str = ""


def find_label(text: str, base_domain: str) -> str | None:
    """Return the label of the host *text* below *base_domain*, or None for another host.

    It is `BASE` for the base domain itself, and empty for a host whose label depends on the software that reads it.
    """
    return read_host(text, base_domain)[0]


def find_custom_name(text: str, hosts: PlatformHosts) -> str | None:
    """Return the name in the host *text* if it may be a custom domain, or None for any other host.

    Hosts of the platform, addresses and names of one label are none.
    """
    if len(text) > MAX_HOST_CHARACTERS:
        return None
    return _find_usual_custom_name(text, hosts.base_domain, hosts.api_host)


def _find_custom_name(text: str, base_domain: str, api_host: str) -> str | None:
    label, name = read_host(text, base_domain)
    if label is not None or not CUSTOM_NAME.fullmatch(name) or ENDPOINT.fullmatch(name):
        return None
    return None if name == spelled_name(api_host) else name


_find_usual_custom_name: Final = lru_cache(KEPT_HOSTS)(_find_custom_name)


def read_host(text: str, base_domain: str) -> tuple[str | None, str]:
    """Return the label of `find_label`, and the first name that other software may read.

    The result depends on nothing else. So that of the last hosts is kept, if they are no longer than a host may be.
    """
    return _read_usual_host(text, base_domain) if len(text) <= MAX_HOST_CHARACTERS else _read(text, base_domain)


def _read(text: str, base_domain: str) -> tuple[str | None, str]:
    readings = _possible_names(text)
    return _label_in(text, readings, base_domain), readings[0]


_read_usual_host: Final = lru_cache(KEPT_HOSTS)(_read)


def spelled_name(text: str) -> str:
    """Return the host name in *text*, or an empty text if it is no ASCII host.

    The name is in lower case, without port and final dot.
    """
    found = HOST.fullmatch(text) if text.isascii() else None
    return found[1].lower() if found else ""


def _label_in(text: str, readings: tuple[str, str], base_domain: str) -> str | None:
    if not base_domain or not any(f".{reading}".endswith(f".{base_domain}") for reading in readings):
        return None
    name = spelled_name(text)
    if name == base_domain:
        return BASE
    return name.removesuffix(f".{base_domain}") if name.endswith(f".{base_domain}") else ""


def _possible_names(text: str) -> tuple[str, str]:
    """Return the host names that other software may read in *text*.

    They are in lower case, mapped as by IDNA, without final dots. The first one is without a port. The second one is
    the whole text, because the part after a colon may be no port.
    """
    name = unicodedata.normalize("NFKC", text).replace(IDEOGRAPHIC_FULL_STOP, ".").lower()
    return name.partition(":")[0].strip().rstrip("."), name.strip().rstrip(".")
