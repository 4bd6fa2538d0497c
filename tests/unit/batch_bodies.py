"""Bodies with a lone surrogate, and the texts of a batch."""

import msgspec

LONE_SURROGATES = {
    "high": rb'{"LIST":[{"x":"\ud800"}]}',
    "low": rb'{"LIST":[{"x":"\udc00"}]}',
    "wrong order": rb'{"LIST":[{"x":"\udc00\ud800"}]}',
    "high before a letter": rb'{"LIST":[{"x":"\ud800a"}]}',
    "two high": rb'{"LIST":[{"x":"\ud800\ud800"}]}',
    "in a name": rb'{"LIST":[{"\ud800":1}]}',
}


def texts(raws: list[msgspec.Raw]) -> list[bytes]:
    return [bytes(raw) for raw in raws]
