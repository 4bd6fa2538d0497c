"""Formats of images by their bytes, with whole structures and bounds."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.branding.images import MAX_IMAGE_BYTES, MAX_SIDE, MediaType, read_media_type
from tests.brand_images import PNG_SIGNATURE, WEBP, jpeg_of, png_chunk, png_of, riff_of, webp_of

IMAGES = {
    "PNG": (png_of(), MediaType.PNG),
    "JPEG": (jpeg_of(), MediaType.JPEG),
    **{f"WebP {kind}": (webp_of(kind), MediaType.WEBP) for kind in WEBP},
}


def vp8x(width: int, height: int) -> bytes:
    return bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def vp8l(width: int, height: int) -> bytes:
    return b"\x2f" + (width - 1 | height - 1 << 14).to_bytes(4, "little")


def media_type_or_fault(content: bytes) -> MediaType | None:
    """Return None for a refusal, which is the only error."""
    with suppress(ValueError):
        return read_media_type(content)
    return None


@pytest.mark.parametrize("name", IMAGES)
def test_format_is_that_of_the_bytes(name: str) -> None:
    content, media_type = IMAGES[name]

    assert read_media_type(content) is media_type


@pytest.mark.parametrize("name", IMAGES)
@given(before=st.binary(max_size=8), after=st.binary(max_size=8))
def test_bytes_around_an_image_are_refused(name: str, before: bytes, after: bytes) -> None:
    content, _ = IMAGES[name]
    if not before and not after:
        return

    with pytest.raises(ValueError, match="The file is no such image"):
        read_media_type(before + content + after)


@pytest.mark.parametrize("name", IMAGES)
def test_cut_image_is_refused(name: str) -> None:
    content, _ = IMAGES[name]

    for end in range(len(content)):
        with pytest.raises(ValueError, match="Expected a PNG, JPEG or WebP"):
            read_media_type(content[:end])


@pytest.mark.parametrize("name", IMAGES)
@given(data=st.data())
def test_changed_image_raises_nothing_else(name: str, data: st.DataObject) -> None:
    content, media_type = IMAGES[name]
    place = data.draw(st.integers(0, len(content) - 1))
    changed = content[:place] + bytes([data.draw(st.integers(0, 255))]) + content[place + 1 :]

    assert media_type_or_fault(changed) in {media_type, None}


@given(st.binary(max_size=300), st.sampled_from([b"", PNG_SIGNATURE, b"\xff\xd8\xff", b"RIFF\x10\0\0\0WEBP"]))
def test_any_bytes_are_an_image_or_refused(content: bytes, start: bytes) -> None:
    media_type_or_fault(start + content)


TOO_LARGE = {
    "PNG that is wide": png_of(MAX_SIDE + 1, 1),
    "PNG that is high": png_of(1, MAX_SIDE + 1),
    "JPEG that is wide": jpeg_of(MAX_SIDE + 1, 1),
    "JPEG that is high": jpeg_of(1, 65_535),
    "JPEG without pixels": jpeg_of(0, 1),
    "WebP that is wide": riff_of((b"VP8X", vp8x(MAX_SIDE + 1, 1)), (b"VP8L", vp8l(1, 1))),
    "WebP that is high": riff_of((b"VP8X", vp8x(1, 1 << 24)), (b"VP8L", vp8l(1, 1))),
    "WebP of the lossless format": riff_of((b"VP8L", vp8l(1 << 14, 1 << 14))),
    "WebP that is larger than its canvas": riff_of((b"VP8X", vp8x(16, 16)), (b"VP8L", vp8l(1 << 14, 1 << 14))),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_image_of_too_many_pixels_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"The image has \d+ x \d+ pixels"):
        read_media_type(TOO_LARGE[name])


def test_image_of_the_largest_size_is_accepted() -> None:
    assert read_media_type(png_of(MAX_SIDE, MAX_SIDE)) is MediaType.PNG
    assert read_media_type(jpeg_of(MAX_SIDE, MAX_SIDE)) is MediaType.JPEG


def test_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(ValueError, match="102,401 bytes"):
        read_media_type(bytes(MAX_IMAGE_BYTES + 1))


BROKEN = {
    "PNG without pixels": PNG_SIGNATURE + png_of()[8:33] + png_chunk(b"IEND"),
    "PNG with two headers": png_of(more=png_of()[8:33]),
    "PNG with two ends": png_of() + png_chunk(b"IEND"),
    "PNG with a wrong checksum": png_of()[:-1] + b"\0",
    "PNG that begins with another chunk": PNG_SIGNATURE + png_chunk(b"tEXt") + png_of()[8:],
    "JPEG with two frames": jpeg_of()[:-2] + b"\xff\xc0\x00\x0b\x08\0\1\0\1\1\1\x11\0\xff\xd9",
    "JPEG without a frame": b"\xff\xd8\xff\xfe\x00\x04ab\xff\xd9",
    "WebP of another chunk": riff_of((b"JUNK", b"")),
    "WebP without an image": riff_of((b"VP8X", vp8x(1, 1))),
    "WebP with a page after its image": riff_of((b"VP8L", b"\x2f\0\0\0\0"), (b"EXIF", b"<script>")),
    "WebP without a signature": riff_of((b"VP8L", b"\0\0\0\0\0")),
    "WebP without a start code": riff_of((b"VP8 ", bytes(10))),
    "WebP without chunks": riff_of(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_other_structure_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="The file is no such image"):
        read_media_type(BROKEN[name])
