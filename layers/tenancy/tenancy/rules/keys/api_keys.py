"""API keys as text, and their checksums.

Prefixes are `pk_` (platform), `sk_` (secret, for servers of a tenant) and `wk_` (write, for apps of a tenant). A key is
its prefix, 256 random bits in base 62 and a checksum. The checksum refuses typing errors and random strings without a
look-up. Only the SHA-256 of a key is stored.
"""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_CHARACTERS: Final = 43  # 62**43 > 2**256
CHECKSUM_CHARACTERS: Final = 6  # 62**6 > 2**32
KEY: Final = re.compile(rf"(pk|sk|wk)_[0-9A-Za-z]{{{RANDOM_CHARACTERS + CHECKSUM_CHARACTERS}}}")
HINT_CHARACTERS: Final = 4
PREFIX_CHARACTERS: Final = 8  # `sk_` and 5 of the 43 random characters: enough to find a key, too few to guess it


class KeyType(StrEnum):
    """The type of a key.

    Its value is the prefix of the key.
    """

    PLATFORM = "pk"
    SECRET = "sk"  # noqa: S105 - a prefix
    WRITE = "wk"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A well-formed key.

    Its representation shows the last characters only, to keep it out of logs.
    """

    text: str

    @property
    def type(self) -> KeyType:
        """The type, from the prefix."""
        return KeyType(self.text[:2])

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the key (32 bytes), under which it is stored."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def hint(self) -> str:
        """The last four characters, which distinguish keys in a list."""
        return self.text[-HINT_CHARACTERS:]

    @property
    def prefix(self) -> str:
        """The first eight characters, by which an organization finds a key in its own files."""
        return self.text[:PREFIX_CHARACTERS]

    def __repr__(self) -> str:
        """Show the type and the hint, not the secret."""
        return f"<{self.type}_…{self.hint}>"


def generate_key(key_type: KeyType) -> ApiKey:
    """Return a new random key of *key_type*."""
    body = f"{key_type}_{random_text()}"
    return ApiKey(body + checksum_of(body))


def find_key(text: str) -> ApiKey | None:
    """Return *text* as a key, or None if its form or checksum is wrong."""
    if KEY.fullmatch(text) is None or checksum_of(text[:-CHECKSUM_CHARACTERS]) != text[-CHECKSUM_CHARACTERS:]:
        return None
    return ApiKey(text)


def random_text() -> str:
    """Return 256 random bits in base 62."""
    return "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))


def checksum_of(body: str) -> str:
    """Return the checksum of *body*: its CRC-32 in base 62.

    It proves nothing about the origin of a text.
    """
    remainder, digits = zlib.crc32(body.encode()), []
    for _ in range(CHECKSUM_CHARACTERS):
        remainder, digit = divmod(remainder, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(digits)
