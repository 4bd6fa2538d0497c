"""Read tokens: the `X-Read-After` of the answer to a write, which later reads send back.

A token is `t` and the time of the write, or `p` and, encrypted, the time and a position in PostgreSQL's log. Positions
show how much all organizations write, so no client may read one. The time is the caller's own. A token that cannot be
read, or that is forged, costs its sender the replica and nothing else.
"""

import secrets
import struct
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import pybase64
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenancy.rules.replica_reads import WriteMark

MAX_READ_TOKEN_CHARACTERS: Final = 100
MAX_READ_TOKENS: Final = 20  # of one request
OF_TIME: Final = "t"
OF_POSITION: Final = "p"
MARKED_TIME: Final = struct.Struct(">Q")  # milliseconds since the epoch
MARKED_POSITION: Final = struct.Struct(">QQ")  # the time, and bytes of the log
READ_TOKEN_NONCE_BYTES: Final = 12
READ_TOKEN_KEY_BYTES: Final = 32
READ_TOKEN_KEY_USE: Final = b"tenancy: positions in read tokens, 1"
LAST_MARKED_TIME: Final = datetime(9999, 1, 1, tzinfo=UTC)


def derive_token_key(secret: str) -> bytes:
    """Return the key of tokens from the text of a secret (HKDF-SHA256)."""
    derivation = HKDF(algorithm=SHA256(), length=READ_TOKEN_KEY_BYTES, salt=None, info=READ_TOKEN_KEY_USE)
    return derivation.derive(secret.encode())


def format_time_token(written_at: datetime) -> str:
    """Return the token of a write without a position."""
    return OF_TIME + _encode(MARKED_TIME.pack(_milliseconds(written_at)))


def format_position_token(written_at: datetime, position: int, *, key: bytes, organization_id: UUID) -> str:
    """Return the token of a write that is complete at *position*. Only *organization_id* can use it."""
    nonce = secrets.token_bytes(READ_TOKEN_NONCE_BYTES)
    text = MARKED_POSITION.pack(_milliseconds(written_at), position)
    return OF_POSITION + _encode(nonce + AESGCM(key).encrypt(nonce, text, organization_id.bytes))


def parse_token(text: str, *, key: bytes, organization_id: UUID) -> WriteMark | None:
    """Return the write of a token, or None if it cannot be read. It never raises."""
    if len(text) > MAX_READ_TOKEN_CHARACTERS or not text.isascii():
        return None
    kind, encoded = text[:1], text[1:]
    try:
        data = pybase64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        if pybase64.urlsafe_b64encode(data).decode().rstrip("=") != encoded:
            return None  # another spelling of the same bytes
        if kind == OF_TIME:
            return WriteMark(written_at=_moment(*MARKED_TIME.unpack(data)))
        if kind == OF_POSITION:
            return _open(data, key, organization_id)
    except (InvalidTag, ValueError, struct.error):
        return None
    return None


def _open(data: bytes, key: bytes, organization_id: UUID) -> WriteMark:
    nonce, encrypted = data[:READ_TOKEN_NONCE_BYTES], data[READ_TOKEN_NONCE_BYTES:]
    moment, position = MARKED_POSITION.unpack(AESGCM(key).decrypt(nonce, encrypted, organization_id.bytes))
    return WriteMark(written_at=_moment(moment), position=position)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    """Return the time. A number that is no date is so late that no replica has the write."""
    return datetime.fromtimestamp(min(milliseconds / 1000, LAST_MARKED_TIME.timestamp()), UTC)


def _encode(data: bytes) -> str:
    return pybase64.urlsafe_b64encode(data).decode().rstrip("=")
