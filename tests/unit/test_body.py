"""The bytes of a request: gzip or not, UTF-8, and no more than four megabytes."""

import gzip
import random
import time
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import MalformedRequestError, TooLargeError
from tenancy.rules.events.batch import MAX_BATCH_BYTES, decode_body


@given(st.text())
def test_gzip_is_told_by_its_first_bytes(text: str) -> None:
    body = text.encode()
    assert decode_body(body) == decode_body(gzip.compress(body)) == body


def test_all_members_of_a_gzip_body_are_read() -> None:
    assert decode_body(gzip.compress(b'{"events":') + gzip.compress(b"") + gzip.compress(b"[1]}")) == b'{"events":[1]}'


BROKEN_GZIP = {
    "nothing after the first bytes": b"\x1f\x8b",
    "no header": b"\x1f\x8b" + b"\0" * 40,
    "another method": b"\x1f\x8b\x07" + b"\0" * 40,
    "truncated": gzip.compress(b'{"events":[]}')[:-1],
    "truncated in the middle": gzip.compress(random.Random(1).randbytes(1000).hex().encode())[:500],
    "second member truncated": gzip.compress(b"{}") + gzip.compress(b"{}")[:-3],
    "second member is none": gzip.compress(b"{}") + b"{}",
    "wrong checksum": gzip.compress(b"{}")[:-8] + b"\0\0\0\0\2\0\0\0",
    "wrong length": gzip.compress(b"{}")[:-4] + b"\7\0\0\0",
    "a byte turned": gzip.compress(b'{"events":[]}' * 9)[:12] + b"\xff" + gzip.compress(b'{"events":[]}' * 9)[13:],
}


@pytest.mark.parametrize("body", BROKEN_GZIP.values(), ids=BROKEN_GZIP)
def test_broken_gzip_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        decode_body(body)


@given(st.binary(max_size=200))
def test_whatever_follows_the_first_bytes_is_a_body_or_malformed(tail: bytes) -> None:
    for body in (tail, b"\x1f\x8b" + tail, gzip.compress(b"{}") + tail, gzip.compress(tail)):
        try:
            decode_body(body).decode()
        except MalformedRequestError:
            continue


@pytest.mark.parametrize("body", [b"\xff", b'{"events":["\xc3"]}', "{}".encode("utf-16"), b"\xed\xa0\x80"])
def test_a_body_is_utf_8(body: bytes) -> None:
    for sent in (body, gzip.compress(body)):
        with pytest.raises(MalformedRequestError):
            decode_body(sent)


def test_a_body_has_at_most_four_megabytes_when_decoded() -> None:
    full = b" " * MAX_BATCH_BYTES
    assert MAX_BATCH_BYTES == 4 * 1024 * 1024
    assert decode_body(full) == full
    assert decode_body(gzip.compress(full)) == full
    for body in (full + b" ", gzip.compress(full + b" "), gzip.compress(full) + gzip.compress(b" ")):
        with pytest.raises(TooLargeError):
            decode_body(body)


def test_a_gzip_bomb_costs_no_memory() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(compressor.compress(bytes(16 * 1024 * 1024)) for _ in range(16)), compressor.flush()])
    assert len(bomb) < 300_000
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        decode_body(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MAX_BATCH_BYTES


def test_a_body_of_very_many_gzip_members_costs_no_time() -> None:
    body = gzip.compress(b"") * 100_000
    started = time.process_time()
    with suppress(MalformedRequestError):
        decode_body(body)
    assert time.process_time() - started < 1
