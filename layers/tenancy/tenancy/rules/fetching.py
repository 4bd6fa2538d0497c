"""Requests of other functions to `fetch`, and its answers: a document of a URL, DNS records, or a fault."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from tenancy.errors import FetchFault

MAX_FETCHED_BYTES: Final = 1024 * 1024
MAX_REDIRECTS: Final = 3
MAX_RECORDS: Final = 100
MAX_RECORD_CHARACTERS: Final = 1_000
FETCH_HEADERS: Final = frozenset({"authorization"})  # of a request; all others are those of the connection


class UrlRequest(Struct, frozen=True, kw_only=True, tag="url", tag_field="kind", forbid_unknown_fields=True):
    """Get *url*, or send *form* to it. Of the answer, *max_bytes* are read."""

    url: str
    max_bytes: int
    method: Literal["GET", "POST"] = "GET"
    accept: str | None = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = {}


class TxtRequest(Struct, frozen=True, kw_only=True, tag="txt", tag_field="kind", forbid_unknown_fields=True):
    """List the TXT records of *name*."""

    name: str


class CnameRequest(Struct, frozen=True, kw_only=True, tag="cname", tag_field="kind", forbid_unknown_fields=True):
    """List the CNAME records of *name*, of which a name has at most one."""

    name: str


class FetchedDocument(Struct, frozen=True, kw_only=True, tag="fetched", tag_field="outcome"):
    """The answer of a server, with any status. *content_type* is empty if it named none."""

    status: int
    content_type: str
    body_base64: bytes  # encoded as its name says

    @property
    def body(self) -> bytes:
        """The bytes of the answer's body."""
        return self.body_base64


class FoundRecords(Struct, frozen=True, kw_only=True, tag="found", tag_field="outcome"):
    """The records of a name, each as one text. There are none if the name does not exist."""

    records: tuple[str, ...]


class FetchRefused(Struct, frozen=True, kw_only=True, tag="refused", tag_field="outcome"):
    """The reason why there is neither a document nor a list of records."""

    fault: FetchFault


type FetchRequest = UrlRequest | TxtRequest | CnameRequest
type FetchAnswer = FetchedDocument | FoundRecords | FetchRefused
