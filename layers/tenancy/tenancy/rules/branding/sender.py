"""The sender of an organization's mails: its name, and its address."""

import unicodedata
from enum import StrEnum
from typing import Final

from tenancy.rules.texts import parse_line

SENDER_NAME_MAX_CHARACTERS: Final = 64
SENDER_NAME_TEXT: Final = (
    'Expected a name without @, <, >, ", \\ and =?, because a mail program could show it as another address.'
)
# Compared after compatibility composition (NFKC), which maps look-alikes of full width to these.
REFUSED_CHARACTERS: Final = frozenset('@<>"\\')
ENCODED_WORD_START: Final = "=?"  # RFC 2047
SENDER_ADDRESS_MAX_CHARACTERS: Final = 254  # RFC 5321, with errata 1690


class SenderState(StrEnum):
    """Whether mails come from the address of the branding. In each state but `active` they come from the platform's."""

    NOT_SET = "not_set"
    DOMAIN_NOT_VERIFIED = "domain_not_verified"  # the organization has not proven the domain, or not any more
    IDENTITY_NOT_VERIFIED = "identity_not_verified"  # SES may not send from the address yet
    UNKNOWN = "unknown"  # SES does not answer
    ACTIVE = "active"


def parse_sender_name(text: str) -> str:
    """Return *text* in its stored form: one visible line that is no address.

    Raises:
        ValueError: it is no such name.
    """
    name = parse_line(text, max_characters=SENDER_NAME_MAX_CHARACTERS)
    shown = unicodedata.normalize("NFKC", name)
    if not REFUSED_CHARACTERS.isdisjoint(shown) or ENCODED_WORD_START in shown:
        raise ValueError(SENDER_NAME_TEXT)
    return name


def domain_of(address: str) -> str:
    """Return the domain of *address*, a stored address."""
    return address.rpartition("@")[2]
