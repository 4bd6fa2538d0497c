"""Domain names in the form in which they are stored, compared and resolved: lower case, Punycode, no final dot."""

import re
from typing import Final

import idna

DOMAIN_MAX_CHARACTERS: Final = 253  # RFC 1035: 255 bytes with the length of each label
# An example that each route takes: a custom domain is never the apex of its zone.
DOMAIN_TEXT: Final = (
    "Expected a domain name such as data.acme.example: no https://, no path, no wildcard and no IP address."
)
LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
SERVICE_LABEL: Final = re.compile(r"_[a-z0-9-]{1,62}")  # RFC 8552: of names that hold records for one purpose
# Resolvers and browsers read a name as an IPv4 address if its last label is a number.
NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def parse_domain_name(text: str) -> str:
    """Return *text* as a domain name of at least two labels.

    Raises:
        ValueError: *text* is no such name, or is an IP address.
    """
    host = parse_host_name(text)
    if "." not in host:
        raise ValueError(DOMAIN_TEXT)
    return host


def parse_host_name(text: str) -> str:
    """Return *text* as a domain name of one or more labels.

    Raises:
        ValueError: *text* is no such name.
    """
    if len(text) > DOMAIN_MAX_CHARACTERS + 1:  # before any look at its characters
        raise ValueError(DOMAIN_TEXT)
    try:
        name = idna.encode(text, uts46=True, std3_rules=True).decode("ascii").lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError(DOMAIN_TEXT) from error
    labels = name.split(".")
    if len(name) > DOMAIN_MAX_CHARACTERS or not all(LABEL.fullmatch(label) for label in labels):
        raise ValueError(DOMAIN_TEXT)
    if NUMBER.fullmatch(labels[-1]):
        raise ValueError(DOMAIN_TEXT)
    return name


def parse_record_name(text: str) -> str:
    """Return *text* as the name of a DNS record: a domain name that one service label may precede.

    Raises:
        ValueError: *text* is no such name.
    """
    first, _, rest = text.partition(".")
    if not SERVICE_LABEL.fullmatch(first):
        return parse_domain_name(text)
    name = f"{first}.{parse_domain_name(rest)}"
    if len(name) > DOMAIN_MAX_CHARACTERS:
        raise ValueError(DOMAIN_TEXT)
    return name
