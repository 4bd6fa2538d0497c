"""API keys as text: `pk_` (platform), `sk_` (secret, a tenant's servers), `wk_` (write, a tenant's apps).

A key is its prefix, 256 random bits in base 62 and a checksum, so that a typing error or a random string is refused
without a look-up. Only its SHA-256 is ever stored.
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


class KeyType(StrEnum):
    """Who a key is for; the value is its prefix."""

    PLATFORM = "pk"
    SECRET = "sk"  # noqa: S105 - a prefix
    WRITE = "wk"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A well-formed key. Never logged: its representation shows the last characters only."""

    text: str

    @property
    def type(self) -> KeyType:
        """What the prefix says."""
        return KeyType(self.text[:2])

    @property
    def digest(self) -> bytes:
        """The 32 bytes by which the key is stored and found."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def hint(self) -> str:
        """The last characters, to tell keys apart in a list."""
        return self.text[-HINT_CHARACTERS:]

    def __repr__(self) -> str:
        """Show no secret."""
        return f"<{self.type}_…{self.hint}>"


def generate_key(key_type: KeyType) -> ApiKey:
    """Return a new random key of *key_type*."""
    body = f"{key_type}_" + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return ApiKey(body + _checksum(body))


def find_key(text: str) -> ApiKey | None:
    """Return the key that *text* is, or None when its form or checksum is wrong."""
    if KEY.fullmatch(text) is None or _checksum(text[:-CHECKSUM_CHARACTERS]) != text[-CHECKSUM_CHARACTERS:]:
        return None
    return ApiKey(text)


def _checksum(body: str) -> str:
    remainder, digits = zlib.crc32(body.encode()), []
    for _ in range(CHECKSUM_CHARACTERS):
        remainder, digit = divmod(remainder, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(digits)
