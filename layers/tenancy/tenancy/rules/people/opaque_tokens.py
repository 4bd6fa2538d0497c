"""Opaque tokens as text: refresh tokens, one-time tokens of mails, and those of a log-in by single sign-on.

A token is its prefix, its organization's id in hexadecimal digits, 256 random bits in base 62 and a checksum. The id
tells in which organization the token is looked up, so no look-up crosses organizations. The id is a claim: only the
look-up proves it. The checksum refuses typing errors and random texts without a look-up. Only the SHA-256 of a token is
stored.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from tenancy.rules.keys.api_keys import CHECKSUM_CHARACTERS, RANDOM_CHARACTERS, checksum_of, random_text

ID_CHARACTERS: Final = 32
OPAQUE_TOKEN: Final = re.compile(
    rf"(rt|ot|ss|sf|sc)_[0-9a-f]{{{ID_CHARACTERS}}}[0-9A-Za-z]{{{RANDOM_CHARACTERS + CHECKSUM_CHARACTERS}}}"
)
TOKEN_PREFIX_CHARACTERS: Final = 3
# A longer text in a body is refused before it is compared with the form.
OPAQUE_TOKEN_CHARACTERS: Final = TOKEN_PREFIX_CHARACTERS + ID_CHARACTERS + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS


class TokenType(StrEnum):
    """The type of an opaque token.

    Its value is the prefix of the token.
    """

    REFRESH = "rt"
    ONE_TIME = "ot"
    SSO_STATE = "ss"
    SSO_FINISH = "sf"
    SSO_CODE = "sc"


@dataclass(frozen=True, slots=True)
class OpaqueToken:
    """A well-formed token.

    Its representation shows the type only, to keep it out of logs.
    """

    text: str

    @property
    def type(self) -> TokenType:
        """The type, from the prefix."""
        return TokenType(self.text[:2])

    @property
    def organization_id(self) -> UUID:
        """The organization in which the token is looked up.

        It is a claim until the look-up finds the token.
        """
        return UUID(hex=self.text[TOKEN_PREFIX_CHARACTERS : TOKEN_PREFIX_CHARACTERS + ID_CHARACTERS])

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the token (32 bytes), under which it is stored."""
        return hashlib.sha256(self.text.encode()).digest()

    def __repr__(self) -> str:
        """Show the type, not the token."""
        return f"<{self.type}_…>"


def generate_token(token_type: TokenType, organization_id: UUID) -> OpaqueToken:
    """Return a new random token of *token_type* for *organization_id*."""
    body = f"{token_type}_{organization_id.hex}{random_text()}"
    return OpaqueToken(body + checksum_of(body))


def find_token(text: str, token_type: TokenType) -> OpaqueToken | None:
    """Return *text* as a token of *token_type*, or None if its type, form or checksum is wrong."""
    if not text.startswith(f"{token_type}_") or OPAQUE_TOKEN.fullmatch(text) is None:
        return None
    if checksum_of(text[:-CHECKSUM_CHARACTERS]) != text[-CHECKSUM_CHARACTERS:]:
        return None
    return OpaqueToken(text)
