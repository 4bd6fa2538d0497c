"""The body of a request: its end, and its text without the Content-Encoding."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from email.message import Message

import lz4.frame  # type: ignore[import-untyped]  # ships no types
from backports import zstd

from scripts.stack.clickhouse_front.protocol import Code, QueryError

CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
LINE_BYTES = 1 << 16
PIECE_BYTES = 1 << 20
QUERY_BYTES = 64 << 20


class MalformedHttpError(Exception):
    """The request is no HTTP, so that the connection cannot be used any more."""


class RequestBody(io.RawIOBase):
    """A request's body, which ends where the request does.

    Reading raises ConnectionError if the client disconnects before the end, and MalformedHttpError if a chunk is not
    valid.
    """

    def __init__(self, source: io.BufferedIOBase, headers: Message) -> None:
        """Read from *source*, by the Content-Length or the chunks that *headers* announce.

        Raises:
            MalformedHttpError: the Content-Length is no number.
        """
        self._source = source
        self._chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        length = "0" if self._chunked else headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()):
            raise MalformedHttpError("Content-Length is no number")
        self._left = int(length)

    def readable(self) -> bool:
        """Say that this file can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader passes it
        """Fill the front of *buffer* and return the number of bytes, 0 at the end."""
        data = self.take(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def take(self, size: int) -> bytes:
        """Return up to *size* bytes, and none only at the end. A closed file works too."""
        if self._left == 0 and self._chunked:
            self._left = self._next_chunk()
        if self._left == 0:
            return b""
        data = self._source.read1(min(size, self._left))
        if not data:
            raise ConnectionAbortedError("the client went away")
        self._left -= len(data)
        if self._left == 0 and self._chunked:
            self._line()
        return data

    def drain(self) -> None:
        """Read to the end: a client that is still sending would not see its answer otherwise."""
        while self.take(LINE_BYTES):
            pass

    def _next_chunk(self) -> int:
        found = CHUNK_SIZE.fullmatch(self._line())
        if not found:
            raise MalformedHttpError("a chunk has no size")
        size = int(found[1], 16)
        if size == 0:
            self._chunked = False
            while self._line().strip():
                pass  # a trailer
        return size

    def _line(self) -> bytes:
        line = self._source.readline(LINE_BYTES)
        if not line:
            raise ConnectionAbortedError("the client went away")
        return line


class Text:
    """A body without its Content-Encoding, in pieces of bounded size.

    Frames and members may follow one another.
    """

    def __init__(self, body: RequestBody, encoding: str) -> None:
        """Unpack *body* from the Content-Encoding *encoding*.

        Raises:
            QueryError: the encoding is not known.
        """
        plain = io.BufferedReader(body, LINE_BYTES)
        match encoding.lower():
            case "" | "identity":
                self._file: io.BufferedIOBase = plain
            case "gzip" | "x-gzip":
                self._file = gzip.GzipFile(fileobj=plain)
            case "zstd":
                self._file = zstd.ZstdFile(plain)
            case "lz4":
                self._file = lz4.frame.LZ4FrameFile(plain)
            case _:
                raise QueryError.of_front(Code.UNKNOWN_COMPRESSION_METHOD, f"Unknown Content-Encoding {encoding}")

    def read(self, size: int) -> bytes:
        """Return *size* bytes, fewer only at the end.

        Raises:
            QueryError: these are no such frames, or the last one is cut off.
        """
        try:
            return self._file.read(size)
        except ConnectionError:
            raise
        except (EOFError, OSError, RuntimeError, zlib.error, zstd.ZstdError) as error:
            raise QueryError.of_front(Code.CANNOT_DECOMPRESS, f"Cannot decompress the body: {error}") from error

    def rest(self) -> bytes:
        """Return the rest.

        Raises:
            QueryError: it is more than a query can be.
        """
        text = self.read(QUERY_BYTES)
        if self.read(1):
            raise QueryError.of_front(Code.QUERY_IS_TOO_LARGE, "The query is too large")
        return text

    def pieces(self) -> Iterator[bytes]:
        """Yield the rest, a megabyte at a time."""
        while piece := self.read(PIECE_BYTES):
            yield piece
