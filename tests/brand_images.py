"""Small images of each format, and changed copies of them."""

import base64
import struct
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
WEBP = {  # 1 x 1 pixels: lossy, lossless, and with transparency
    "lossy": "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
    "lossless": "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==",
    "extended": (
        "UklGRkoAAABXRUJQVlA4WAoAAAAQAAAAAAAAAAAAQUxQSAwAAAARBxAR/Q9ERP8DAABWUDggGAAAABQBAJ0BKgEAAQAAAP4AAA3AAP7mtQAA"
        "AA=="
    ),
}
JPEG_HEAD = (
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP////////////////////////////////////////////////////////////////////////////////"
    "//////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def png_of(width: int = 1, height: int = 1, *, color: bytes = b"\x7c\x3a\xed", more: bytes = b"") -> bytes:
    """Return a PNG of one color, with *more* chunks before its end."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + color * width) * height)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels)
    return PNG_SIGNATURE + chunks + more + png_chunk(b"IEND")


def jpeg_of(width: int = 1, height: int = 1) -> bytes:
    """Return a JPEG of one pixel, whose header has another size."""
    image = base64.b64decode(JPEG_HEAD) + b"\xff\xd9"
    frame = image.index(b"\xff\xc2") + 5
    return image[:frame] + height.to_bytes(2) + width.to_bytes(2) + image[frame + 4 :]


def webp_of(kind: str = "lossy") -> bytes:
    return base64.b64decode(WEBP[kind])


def riff_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a WebP file of these chunks."""
    body = b"WEBP" + b"".join(
        kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body
