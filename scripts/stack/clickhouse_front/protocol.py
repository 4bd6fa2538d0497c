"""The surroundings of a statement in ClickHouse's HTTP interface, and its errors.

A statement or a value need not be valid UTF-8: str carries other bytes as surrogate escapes.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from enum import IntEnum
from typing import Self
from urllib.parse import parse_qsl

# https://github.com/ClickHouse/ClickHouse/blob/master/src/Server/HTTP/exceptionCodeToHTTPStatus.cpp
STATUS_CODES: Mapping[int, tuple[int, ...]] = {
    400: (6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676),
    401: (194,),
    403: (192, 193, 497, 512, 516),
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
    408: (159,),
    411: (381,),
    413: (229,),
    415: (779,),
    501: (48,),
    503: (76, 209, 439),
}
NOT_SETTINGS = frozenset(
    {
        "query",
        "database",
        "default_format",
        "query_id",
        "client_protocol_version",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "user",
        "password",
        "role",
        "quota_key",
        "compress",
        "decompress",
        "buffer_size",
        "wait_end_of_query",
        "stacktrace",
    }
)
MAX_FIELD_BYTES = 128 * 1024 + 1  # http_max_field_value_size. A server accepts one byte more than this setting says.
SETTING_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Code(IntEnum):
    """The errors that arise before the engine, as ClickHouse numbers and names them."""

    BAD_ARGUMENTS = 36
    NOT_IMPLEMENTED = 48
    SYNTAX_ERROR = 62
    UNKNOWN_FORMAT = 73
    UNKNOWN_COMPRESSION_METHOD = 89
    UNKNOWN_SETTING = 115
    QUERY_IS_TOO_LARGE = 229
    CANNOT_DECOMPRESS = 271
    INTO_OUTFILE_NOT_ALLOWED = 358
    POCO_EXCEPTION = 1000
    UNKNOWN_EXCEPTION = 1002


class QueryError(Exception):
    """A refusal for the client, with ClickHouse's number and sentence."""

    def __init__(self, code: int, sentence: str) -> None:
        """Keep both. The *sentence* begins with the number, as in ClickHouse."""
        super().__init__(sentence)
        self.code = code

    @classmethod
    def of_front(cls, code: Code, message: str) -> Self:
        """Return the protocol's own error, in the engine's words."""
        return cls(code, f"Code: {code}. DB::Exception: {message}. ({code.name})")

    @classmethod
    def of_engine(cls, message: str) -> Self:
        """Return the engine's error without the words of its Python wrapper."""
        found = re.search(r"Code: (\d+)\.", message)
        if not found:
            return cls.of_front(Code.UNKNOWN_EXCEPTION, message)
        return cls(int(found[1]), message[found.start() :])

    @property
    def status(self) -> int:
        """Return the HTTP status that a ClickHouse server gives to the code."""
        return next((status for status, codes in STATUS_CODES.items() if self.code in codes), 500)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRequest:
    """The surroundings of a statement, from the URL, the headers, or a form."""

    query: bytes
    database: str
    output_format: str
    query_id: str
    settings: Mapping[str, str]
    """Also the statement's parameters, as param_<name>."""


def read_request(url_query: str, headers: Message, form: Mapping[str, str], *, read_only: bool) -> StatementRequest:
    """Parse the surroundings of a statement. ClickHouse makes a GET *read_only*.

    Raises:
        QueryError: a setting's name is none, a field is too long, or the block compression of the native protocol is
            asked for.
    """
    url_query = url_query.encode("latin-1").decode("utf-8", "surrogateescape")  # as http.server decoded it
    fields = dict(parse_qsl(url_query, keep_blank_values=True, errors="surrogateescape")) | dict(form)
    if any(len(value.encode("utf-8", "surrogateescape")) > MAX_FIELD_BYTES for value in fields.values()):
        raise QueryError.of_front(Code.POCO_EXCEPTION, "HTML Form Exception: Field value too long")
    if "1" in (fields.get("compress"), fields.get("decompress")):
        raise QueryError.of_front(Code.NOT_IMPLEMENTED, "compress and decompress are not supported here")
    settings = {name: value for name, value in fields.items() if name not in NOT_SETTINGS}
    for name in settings:
        if not SETTING_NAME.fullmatch(name):
            raise QueryError.of_front(Code.UNKNOWN_SETTING, f"Unknown setting {name!r}")
    if read_only and settings.get("readonly", "0") == "0":
        settings["readonly"] = "2"
    return StatementRequest(
        query=fields.get("query", "").encode("utf-8", "surrogateescape"),
        database=fields.get("database") or headers["X-ClickHouse-Database"] or "",
        output_format=fields.get("default_format") or headers["X-ClickHouse-Format"] or "TabSeparated",
        query_id=fields.get("query_id") or str(uuid.uuid4()),
        settings=settings,
    )


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a multipart form.

    Raises:
        QueryError: it carries a file, which is how external data comes, or it is no form.
    """
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_boundary("")
    if not boundary:
        raise QueryError.of_front(Code.BAD_ARGUMENTS, "The form has no boundary")
    fields = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:-1]:
        head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        described = BytesHeaderParser().parsebytes(head)
        if described.get_filename() is not None:
            raise QueryError.of_front(Code.NOT_IMPLEMENTED, "External data is not supported by the embedded stack")
        name = described.get_param("name", "", "Content-Disposition")
        fields[str(name)] = value.decode("utf-8", "surrogateescape")
    return fields
