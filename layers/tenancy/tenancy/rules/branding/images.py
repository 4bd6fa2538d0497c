"""Images of a branding: PNG, JPEG or WebP by their bytes, with bounds.

The whole structure is read, and no pixel. A file with bytes before, after or between the parts of its format is
refused. A part for text may still hold any bytes: the headers of the answer keep browsers from reading another format.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_IMAGE_BYTES: Final = 100 * 1024
MAX_SIDE: Final = 2_048  # pixels
IMAGE_TEXT: Final = (
    f"Expected a PNG, JPEG or WebP image of at most {MAX_IMAGE_BYTES:,} bytes and {MAX_SIDE} x {MAX_SIDE} pixels, "
    "without other bytes before, in or after it. "
)
PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
JPEG_START: Final = b"\xff\xd8\xff"
RIFF_START: Final = b"RIFF"
WEBP_TYPE: Final = b"WEBP"
WEBP_CHUNKS: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP ", b"ANIM", b"ANMF"})
PNG_CHUNKS: Final = frozenset({
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"bKGD",
    b"hIST", b"pHYs", b"sPLT", b"eXIf", b"tIME", b"iTXt", b"tEXt", b"zTXt", b"acTL", b"fcTL", b"fdAT",
})  # fmt: skip
# Start of frame: all kinds of compression (ITU-T T.81, table B.1), without the markers of tables among them.
FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SCAN_MARKER: Final = 0xDA
END_MARKER: Final = 0xD9
RESTART_MARKERS: Final = frozenset(range(0xD0, 0xD8))


class MediaType(StrEnum):
    """The formats of images."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    WEBP = "image/webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandImage:
    """An image as it is stored and served. *digest* is the SHA-256 of its content."""

    digest: bytes
    media_type: MediaType
    content: bytes


def read_media_type(content: bytes) -> MediaType:
    """Return the format of *content*, an image that may be served.

    Raises:
        ValueError: it is no such image. The text is for the tenant.
    """
    if len(content) > MAX_IMAGE_BYTES:
        raise ValueError(f"{IMAGE_TEXT}The file has {len(content):,} bytes.")
    try:
        media_type, width, height = _read(content)
    except (IndexError, ValueError) as error:
        raise ValueError(f"{IMAGE_TEXT}The file is no such image.") from error
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ValueError(f"{IMAGE_TEXT}The image has {width} x {height} pixels.")
    return media_type


def _read(content: bytes) -> tuple[MediaType, int, int]:
    if content.startswith(PNG_SIGNATURE):
        return MediaType.PNG, *_read_png(content)
    if content.startswith(JPEG_START):
        return MediaType.JPEG, *_read_jpeg(content)
    if content.startswith(RIFF_START) and content[8:12] == WEBP_TYPE:
        return MediaType.WEBP, *_read_webp(content)
    raise ValueError("The format is unknown.")


def _require(holds: bool, text: str) -> None:  # noqa: FBT001 - a condition, like that of `assert`
    if not holds:
        raise ValueError(text)


def _read_png(content: bytes) -> tuple[int, int]:
    """Return width and height (PNG, 5.3 and 11.2.1)."""
    kinds: list[bytes] = []
    header, place = b"", len(PNG_SIGNATURE)
    while place < len(content):
        length, kind = int.from_bytes(content[place : place + 4]), content[place + 4 : place + 8]
        end = place + 12 + length
        checked = content[place + 4 : end - 4]
        _require(kind in PNG_CHUNKS and end <= len(content), "A chunk is unknown or cut.")
        _require(zlib.crc32(checked) == int.from_bytes(content[end - 4 : end]), "A checksum is wrong.")
        header = header or checked[4:]
        kinds.append(kind)
        place = end
    _require(kinds[0] == b"IHDR" and len(header) == 13, "The first chunk is no header.")  # noqa: PLR2004 - 11.2.1
    _require(kinds.count(b"IHDR") == kinds.count(b"IEND") == 1 and kinds[-1] == b"IEND", "The last chunk is no end.")
    _require(b"IDAT" in kinds, "There is no image data.")
    return int.from_bytes(header[:4]), int.from_bytes(header[4:8])


def _read_jpeg(content: bytes) -> tuple[int, int]:
    """Return width and height (ITU-T T.81, annex B)."""
    sizes = []
    place, marker = 2, 0
    while marker != END_MARKER:
        place, marker = _next_marker(content, place)
        if marker == END_MARKER:
            break
        _require(marker >= 0xC0 and marker not in RESTART_MARKERS and marker != 0xD8, "A marker is unknown.")  # noqa: PLR2004 - B.1
        length = int.from_bytes(content[place : place + 2])
        segment = content[place + 2 : place + length]
        _require(length >= 2 and len(segment) == length - 2, "A segment is cut.")  # noqa: PLR2004 - its own two bytes
        if marker in FRAME_MARKERS:
            sizes.append((int.from_bytes(segment[3:5]), int.from_bytes(segment[1:3])))
        place += length
        if marker == SCAN_MARKER:
            _require(bool(sizes), "A scan comes before its frame.")
            place = _end_of_scan(content, place)
    _require(place == len(content) and len(sizes) == 1, "There are bytes after the end, or several frames.")
    return sizes[0]


def _next_marker(content: bytes, place: int) -> tuple[int, int]:
    """Return the place after the marker that begins at *place*, and the marker."""
    _require(content[place] == 0xFF, "A marker is missing.")  # noqa: PLR2004 - B.1.1.2
    return place + 2, content[place + 1]


def _end_of_scan(content: bytes, place: int) -> int:
    """Return the place of the next marker that is neither a stuffed byte nor a restart."""
    while (place := content.find(b"\xff", place)) >= 0:
        follower = content[place + 1]
        if follower != 0 and follower not in RESTART_MARKERS:
            return place
        place += 2
    raise ValueError("A scan has no end.")


def _read_webp(content: bytes) -> tuple[int, int]:
    """Return width and height (RFC 9649, 2.3 to 2.7)."""
    _require(int.from_bytes(content[4:8], "little") == len(content) - 8, "The size of the file is another one.")
    chunks = list(_webp_chunks(content))
    kind, data = chunks[0]
    _require(kind in {b"VP8 ", b"VP8L", b"VP8X"}, "The first chunk is no image.")
    if kind == b"VP8X":
        sizes = [_webp_size(each, part) for each, part in chunks[1:] if each in {b"VP8 ", b"VP8L"}]
        _require(bool(sizes) or any(each == b"ANMF" for each, _ in chunks[1:]), "There is no image data.")
        sizes.append((1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")))
        return max(width for width, _ in sizes), max(height for _, height in sizes)  # of the canvas or its image
    _require(len(chunks) == 1, "A simple image has other chunks.")
    return _webp_size(kind, data)


def _webp_size(kind: bytes, data: bytes) -> tuple[int, int]:
    """Return width and height of image data (RFC 9649, 2.5 and 2.6)."""
    if kind == b"VP8L":
        _require(data[0] == 0x2F, "The signature of the image data is missing.")  # noqa: PLR2004 - RFC 9649, 3.4
        bits = int.from_bytes(data[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    _require(data[3:6] == b"\x9d\x01\x2a", "The start code of the image data is missing.")
    return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF


def _webp_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place < len(content):
        kind, length = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        data = content[place + 8 : place + 8 + length]
        _require(kind in WEBP_CHUNKS and len(data) == length, "A chunk is unknown or cut.")
        yield kind, data
        place += 8 + length + length % 2
    _require(place == len(content), "A chunk is cut.")
