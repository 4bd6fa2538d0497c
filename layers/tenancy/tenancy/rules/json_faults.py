"""Names the fault of a refused body that is not usable JSON."""

from typing import Final

import msgspec

from tenancy.errors import MalformedRequestError

GZIP_MAGIC: Final = b"\x1f\x8b"
EMPTY_TEXT: Final = "The body is empty. Send JSON."
GZIP_TEXT: Final = (
    "The body is compressed. Only the routes that take events decompress a body. Send the JSON text itself."
)
NOT_UTF8_TEXT: Final = "The body is not UTF-8."
NUMBER_TEXT: Final = "A number in the body is out of range. Send a smaller number, or a text where the route takes one."
DEPTH_TEXT: Final = "The body is nested too deeply. Send fewer than 10,000 levels of lists and objects."
NO_JSON_TEXT: Final = (
    "The body is not valid JSON. NaN, Infinity and halves of surrogate pairs (`\\ud800`) are not JSON either."
)


def malformed_json(body: bytes, error: Exception) -> MalformedRequestError:
    """Return the refusal of *body*, whose parser raised *error*."""
    return MalformedRequestError(_describe(body, error))


def _describe(body: bytes, error: Exception) -> str:
    if not body.strip():
        return EMPTY_TEXT
    if body.startswith(GZIP_MAGIC):
        return GZIP_TEXT
    if isinstance(error, RecursionError):
        return DEPTH_TEXT
    if isinstance(error, UnicodeDecodeError):
        return NOT_UTF8_TEXT
    return NUMBER_TEXT if _is_json(body) else NO_JSON_TEXT


def _is_json(body: bytes) -> bool:
    """Tell whether *body* is JSON, with numbers of any size."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
