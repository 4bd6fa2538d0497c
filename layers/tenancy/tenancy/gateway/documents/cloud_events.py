"""The content modes of CloudEvents over HTTP (HTTP protocol binding 1.0.2, chapter 3)."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from tenancy.errors import UnsupportedMediaTypeError
from tenancy.gateway.headers import CONTENT_TYPE
from tenancy.gateway.http import Request

STRUCTURED_MODE: Final = "application/cloudevents+json"
BATCH_MODE: Final = "application/cloudevents-batch+json"
IS_BATCH: Final[Mapping[str, bool]] = MappingProxyType({STRUCTURED_MODE: False, BATCH_MODE: True})
CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})  # JSON event format: UTF-8, of which ASCII is a part
MODES_TEXT: Final = (
    f"Expected one Content-Type: {STRUCTURED_MODE} (structured mode, one event) or {BATCH_MODE} (batch mode, a list "
    "of events), in UTF-8. Binary mode, with attributes in ce- headers, and other formats are not supported."
)


def is_batch_mode(request: Request) -> bool:
    """Tell whether the body of *request* is a list of CloudEvents.

    In structured mode it is one event.

    Raises:
        UnsupportedMediaTypeError: the request has another mode, format or character set.
    """
    values = request.header_values.get(CONTENT_TYPE, ())
    if len(values) != 1:
        raise UnsupportedMediaTypeError(MODES_TEXT)
    media_type, *parameters = values[0].split(";")
    is_batch = IS_BATCH.get(media_type.strip().lower())
    if is_batch is None or not _charsets_of(parameters) <= CHARSETS:
        raise UnsupportedMediaTypeError(MODES_TEXT)
    return is_batch


def _charsets_of(parameters: Iterable[str]) -> set[str]:
    named = (each.partition("=") for each in parameters)
    return {value.strip(' \t"').lower() for name, _, value in named if name.strip().lower() == "charset"}
