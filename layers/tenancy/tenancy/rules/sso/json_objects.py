"""Parses JSON objects of an OpenID Connect provider: its metadata, its keys, its answers and its tokens."""

import base64
import binascii
import json
import re
from typing import Any, Final

BASE64URL_TEXT: Final = re.compile(r"[A-Za-z0-9_-]*")


def parse_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object *text*, in UTF-8 without a byte order mark.

    Raises:
        ValueError: *text* is no such object, repeats a member, or has half of a surrogate pair. Readers disagree on
            which of two members counts, and such a half cannot be encoded.
    """
    try:
        document = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
        json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("The document is nested too deeply.") from error
    if not isinstance(document, dict):
        raise ValueError("The document is no object.")  # noqa: TRY004 - a value of the wrong kind, as all others here
    return document


def decode_base64url(text: str) -> bytes:
    """Return the bytes that *text* encodes in base64url without padding (RFC 7515, 2).

    Raises:
        ValueError: *text* has another form.
    """
    if BASE64URL_TEXT.fullmatch(text) is None:
        raise ValueError("The text is not base64url.")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("The text is not base64url.") from error


def encode_base64url(data: bytes) -> str:
    """Return *data* in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("The document repeats a member.")
    return members


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON.")
