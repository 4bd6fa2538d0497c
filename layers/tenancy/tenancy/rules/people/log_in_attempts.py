"""Log-in attempts: the limit for an account and a network address."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from tenancy.rules.durations import FOURTH_LOG_IN_DELAY, THIRD_LOG_IN_DELAY

MAX_FAILED_LOG_INS: Final = 5  # until the count expires
NETWORK_BITS: Final = 64  # of an IPv6 address: a customer of a provider has all addresses of such a network
# The pause after each failed attempt. After the last one the count must expire.
LOG_IN_DELAYS: Final = (timedelta(), timedelta(), THIRD_LOG_IN_DELAY, FOURTH_LOG_IN_DELAY, timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptVerdict:
    """Whether a password may be checked now.

    If not, *wait* is the time until the next one may be checked.
    """

    is_allowed: bool
    wait: timedelta


def attempts_field(email: str, source_address: str) -> str:
    """Return the name under which attempts are counted.

    It is the SHA-256 of the account's address and the network.
    """
    return hashlib.sha256(json.dumps([email, network_of(source_address)]).encode()).hexdigest()


def network_of(source_address: str) -> str:
    """Return the network of a client's address.

    It is an IPv4 address, or the /64 network of an IPv6 address. Another text is returned as it is.
    """
    try:
        address = ip_address(source_address)
    except ValueError:
        return source_address
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), NETWORK_BITS), strict=False))
