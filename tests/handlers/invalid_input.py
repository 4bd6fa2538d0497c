"""Invalid input: whole bodies, single events, and JSON texts that no encoder writes."""

import gzip
import json
import zlib

DEEP = 100_000
MALFORMED = 400, "malformed_request"
TOO_LARGE = 413, "too_large"
INVALID = 422, "invalid"


def gzip_bomb() -> bytes:
    compressor = zlib.compressobj(9, wbits=31)
    parts = [compressor.compress(b'{"LIST":['), *(compressor.compress(b" " * 2**20) for _ in range(100))]
    return b"".join([*parts, compressor.flush()])


NOISE = gzip.compress(json.dumps({"x": [str(number * 7919 % 10007) for number in range(5000)]}).encode())


def bodies(name: str, *, no_number: tuple[int, str] = MALFORMED) -> dict[str, tuple[bytes, tuple[int, str]]]:
    """Return invalid bodies with their status and code. The member *name* holds the events.

    *no_number* is the outcome of a body with NaN or Infinity.
    """
    plain: dict[str, tuple[bytes, tuple[int, str]]] = {
        "nothing": (b"", MALFORMED),
        "text": (b"hello", MALFORMED),
        "truncated": (b'{"LIST":[{"a":1}', MALFORMED),
        "two documents": (b'{"LIST":[{}]}{"LIST":[{}]}', MALFORMED),
        "trailing comma": (b'{"LIST":[{},]}', MALFORMED),
        "form": (b"LIST=1&b=2", MALFORMED),
        "XML": (b"<events/>", MALFORMED),
        "NaN": (b'{"LIST":[{"revenue":NaN}]}', no_number),
        "Infinity": (b'{"LIST":[{"revenue":-Infinity}]}', no_number),
        "NUL byte": (b'{"LIST":[{"a":"\0"}]}', MALFORMED),
        "line break in a text": (b'{"LIST":[{"a":"\n"}]}', MALFORMED),
        "no UTF-8": (b'{"LIST":[{"a":"\xff"}]}', MALFORMED),
        "UTF-16": ('{"LIST":[{}]}'.encode("utf-16"), MALFORMED),
        "a surrogate in UTF-8": (b'{"LIST":[{"a":"\xed\xa0\x80"}]}', MALFORMED),
        "100,000 arrays": (b'{"LIST":[' + b"[" * DEEP + b"]" * DEEP + b"]}", MALFORMED),
        "100,000 arrays that stay open": (b'{"LIST":' + b"[" * DEEP, MALFORMED),
        "100,000 objects": (b'{"LIST":[' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"]}", MALFORMED),
        "100,000 levels beside the list": (b'{"a":' + b"[" * DEEP + b"]" * DEEP + b',"LIST":[{}]}', MALFORMED),
        "null": (b"null", INVALID),
        "a number": (b"5", INVALID),
        "a list": (b"[]", INVALID),
        "no list": (b"{}", INVALID),
        "a list that is null": (b'{"LIST":null}', INVALID),
        "a list that is an object": (b'{"LIST":{"0":{}}}', INVALID),
        "an empty list": (b'{"LIST":[]}', INVALID),
        "2,501 events": (b'{"LIST":[' + b",".join([b"{}"] * 2501) + b"]}", INVALID),
    }
    texts = {case: (body.replace(b"LIST", name.encode()), outcome) for case, (body, outcome) in plain.items()}
    return texts | _gzip_bodies(b'{"%s":[{}]}' % name.encode())


def _gzip_bodies(one: bytes) -> dict[str, tuple[bytes, tuple[int, str]]]:
    """Return invalid bodies that are compressed or too large; *one* is a valid body."""
    return {
        "truncated gzip": (NOISE[:-1], MALFORMED),
        "half a gzip": (NOISE[: len(NOISE) // 2], MALFORMED),
        "gzip's first bytes alone": (b"\x1f\x8b", MALFORMED),
        "gzip with a wrong checksum": (gzip.compress(one)[:-8] + b"\0" * 8, MALFORMED),
        "gzip and then text": (gzip.compress(one) + b"text", MALFORMED),
        "gzip of no JSON": (gzip.compress(b"hello"), MALFORMED),
        "gzip of gzip": (gzip.compress(gzip.compress(b"{}")), MALFORMED),
        "two gzip members of two documents": (gzip.compress(one) * 2, MALFORMED),
        "many empty gzip members": (gzip.compress(b"") * 2_000, MALFORMED),
        "gzip bomb": (gzip_bomb(), TOO_LARGE),
        "gzip of 4 MB + 1": (gzip.compress(b" " * (4 * 1024 * 1024 + 1)), TOO_LARGE),
        "4 MB + 1": (b" " * (4 * 1024 * 1024 + 1), TOO_LARGE),
    }


# Changes that make an event invalid, and the same for a Segment call. None: the Segment path accepts it.
EVENTS: dict[str, tuple[dict[str, object], dict[str, object] | None]] = {
    "33 KB": ({"properties": {"a": "x" * 33_000}}, {"properties": {"a": "x" * 33_000}}),
    "33 KB of a name": ({"event_name": "x" * 33_000}, {"event": "x" * 33_000}),
    "NUL in a device": ({"device_id": "a\0b"}, {"anonymousId": "a\0b"}),
    "NUL in an id": ({"event_id": "\0"}, {"messageId": "\0"}),
    "NUL in a name": ({"event_name": "\0"}, {"event": "\0"}),
    "a device that is a list": ({"device_id": ["a"]}, {"anonymousId": ["a"]}),
    "a device that is nothing": ({"device_id": ""}, {"anonymousId": "", "userId": ""}),
    "an id that is a number": ({"event_id": 1}, {"messageId": 1}),
    "a name that is a number": ({"event_name": 1}, {"event": 1}),
    "another type": ({"event_type": None}, {"type": "purchase"}),
    "a time that is a number": ({"event_timestamp": 1_795_521_600}, {"timestamp": 1_795_521_600}),
    "a time that is none": ({"event_timestamp": "yesterday"}, {"timestamp": "yesterday"}),
    "the 30th of February": ({"event_timestamp": "2026-02-30T00:00:00Z"}, {"timestamp": "2026-02-30T00:00:00Z"}),
    "year 1 with +23:00": (
        {"event_timestamp": "0001-01-01T00:00:00+23:00"},
        {"timestamp": "0001-01-01T00:00:00+23:00"},
    ),
    "year 9999 with -23:00": (
        {"event_timestamp": "9999-12-31T23:59:59-23:00"},
        {"timestamp": "9999-12-31T23:59:59-23:00"},
    ),
    "year 0": ({"event_timestamp": "0000-01-01T00:00:00Z"}, {"timestamp": "0000-01-01T00:00:00Z"}),
    "infinity": ({"event_timestamp": "infinity"}, {"timestamp": "infinity"}),
    "context that is a list": ({"properties": []}, {"context": []}),
    "year 1": ({"event_timestamp": "0001-01-01T00:00:00Z"}, None),
    "year 1970": ({"event_timestamp": "1970-01-01T00:00:00Z"}, None),
    "year 2200": ({"event_timestamp": "2200-01-01T00:00:00Z"}, None),
    "year 9999": ({"event_timestamp": "9999-12-31T23:59:59Z"}, None),
    "no zone": ({"event_timestamp": "2026-11-24T12:00:00"}, None),
    "seven decimals": ({"revenue": "0.0000001"}, None),
    "thirteen digits": ({"revenue": "1000000000000"}, None),
    "rounds to thirteen digits": ({"revenue": "999999999999.9999999"}, None),
    "a NaN in quotes": ({"revenue": "NaN"}, None),
    "a signalling NaN": ({"revenue": "sNaN"}, None),
    "an infinite amount": ({"revenue": "-Infinity"}, None),
    "a huge exponent": ({"revenue": "1e999999999999"}, None),
    "a tiny exponent": ({"revenue": "1e-999999999999"}, None),
    "an amount that is a text": ({"revenue": "much"}, None),
    "an amount that is an object": ({"revenue": {"amount": 1}}, None),
    "an unknown currency": ({"currency": "XXX"}, None),
    "a currency that is a number": ({"currency": 978}, None),
}
# JSON members that Python's encoder does not write, for an event and for a Segment call.
TEXTS: dict[str, tuple[str, str | None]] = {
    "a number beyond all bounds as revenue": ('"revenue":1e999', None),
    "a number of 400 digits as revenue": ('"revenue":1' + "0" * 400, None),
    "a number of 5,000 digits as revenue": ('"revenue":1' + "0" * 5000, None),
    "a number beyond all bounds as a device": ('"device_id":1e999', '"anonymousId":1e999'),
    "a number of 5,000 digits as an id": ('"event_id":1' + "0" * 5000, '"messageId":1' + "0" * 5000),
}
