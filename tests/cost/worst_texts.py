"""Texts and JSON that careless code would process slowly.

Each has a name and the number of bytes to fill. The plain counterpart of each is ordinary text of as many bytes.
"""

from collections.abc import Callable, Mapping
from itertools import count, takewhile

MARKS = "\u0315\u0300\u0345\u0322"  # four combining classes in descending and ascending order
LEET = "4@({[<691!|7$5+2" + "8300%"
EXPANDING = "\ufdfa"  # 18 characters in NFKC
FLAG_WITHOUT_END = "\U0001f3f4" + "\U000e0061" * 40

type Fill = Callable[[int], str]


def repeated(text: str) -> Fill:
    """Return a text of at most the given bytes that repeats *text*."""
    return lambda size: text * max(size // len(text.encode()), 1)


TEXTS: Mapping[str, Fill] = {
    "combining marks": repeated(MARKS),
    "expanding characters": repeated(EXPANDING),
    "Hangul letters": repeated("\u1100\u1161"),
    "digits and signs for letters": repeated(LEET),
    "repeats": repeated("aab"),
    "digits": repeated("9"),
    "zeros after a point": lambda size: "0." + "0" * (size - 2),
    "an exponent": lambda size: "1e" + "9" * (size - 2),
    "a time with a long fraction": lambda size: "2026-11-24T12:00:00." + "1" * max(size - 21, 1) + "Z",
    "an international domain": lambda size: "a@" + "ü" * ((size - 4) // 2) + ".example"[: max(size - 4, 1)],
    "many labels": lambda size: "a@" + "x." * (size // 2 - 2) + "e",
    "Punycode": lambda size: "a@xn--" + "9" * (size - 6),
    "spaces": repeated(" "),
    "hyphens": repeated("a-"),
    "commas": repeated("a,"),
    "Base64": repeated("MjAy"),
    "flags without an end": repeated(FLAG_WITHOUT_END),
    "joiners": repeated("\u200d"),
}


def filled(start: str, element: Callable[[int], str], end: str, size: int) -> str:
    """Return elements with commas between *start* and *end*, up to *size* characters."""
    parts, length = [], len(start) + len(end)
    for part in map(element, count()):
        length += len(part) + 1
        if length > size:
            break
        parts.append(part)
    return start + ",".join(parts) + end


JSON: Mapping[str, Fill] = {
    "deep arrays": lambda size: '{"a":' + "[" * (size // 2 - 3) + "]" * (size // 2 - 3) + "}",
    "deep objects": lambda size: '{"a":' * (size // 6) + "1" + "}" * (size // 6),
    "open arrays": lambda size: "[" * size,
    "many members": lambda size: filled("{", lambda number: f'"a{number}":1', "}", size),
    "one member many times": lambda size: filled("{", lambda _: '"amount":1', "}", size),
    "many values": lambda size: filled('{"amount":[', lambda _: "1", "]}", size),
    "many objects": lambda size: filled('{"amount":[', lambda _: '{"a":1}', "]}", size),
    "long numbers": lambda size: filled('{"amount":[', lambda _: "9" * 4299, "]}", size),
    "one long number": lambda size: '{"amount":' + "9" * (size - 11) + "}",
    "long fractions": lambda size: filled('{"amount":[', lambda _: "0." + "1" * 4000, "]}", size),
    "exponents": lambda size: filled('{"amount":[', lambda _: "1e400", "]}", size),
    "escapes": lambda size: '{"amount":"' + "\\u0041" * ((size - 13) // 6) + '"}',
    "pairs of surrogates": lambda size: '{"amount":"' + "\\ud83d\\ude00" * ((size - 13) // 12) + '"}',
    "halves of surrogates": lambda size: '{"amount":"' + "\\ud83d" * ((size - 13) // 6) + '"}',
    "numbers that are none": lambda size: filled('{"amount":[', lambda _: "NaN,-Infinity", "]}", size),
    "texts beside NaN": lambda size: filled('{"amount":[NaN,', lambda _: '""', "]}", size),
    "backslashes": lambda size: '{"amount":"' + "\\\\" * ((size - 13) // 2) + '"}',
    "an escaped member": lambda size: '{"organization\\u005fid":null,"a":"' + "x" * (size - 40) + '"}',
    "a long member": lambda size: '{"' + "a" * (size - 6) + '":1}',
    "invalid UTF-8": lambda size: '{"a":"' + "\udcff" * (size - 8) + '"}',
}


def names(length: int) -> list[str]:
    """Return different short names of together at most *length* characters with one separator each."""
    total = 0

    def fits(name: str) -> bool:
        nonlocal total
        total += len(name) + 2
        return total <= length

    return list(takewhile(fits, (f"{number:x}" for number in count())))
