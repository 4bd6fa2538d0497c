"""Domain names: their stored form, and texts that are none."""

import time

import pytest

from tenancy.rules.domain_names import parse_domain_name, parse_host_name, parse_record_name
from tests.members import for_each

LABEL = "a" * 63
NORMALIZED = {
    "acme.example": "acme.example",
    "ACME.Example": "acme.example",
    "acme.example.": "acme.example",
    "bücher.example": "xn--bcher-kva.example",
    "BÜCHER.example": "xn--bcher-kva.example",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "acme。example": "acme.example",
    "\uff41cme.example": "acme.example",
    "straße.example": "xn--strae-oqa.example",
    "acme-1.co.uk": "acme-1.co.uk",
    f"{LABEL}.example": f"{LABEL}.example",
    "1.acme.example": "1.acme.example",
}
NO_NAMES = (
    "", ".", "acme", "localhost", "acme..example", ".acme.example", "acme.example..", "-acme.example", "acme-.example",
    "acme_1.example", "_acme.example", "*.acme.example", "acme.example/", "https://acme.example", "acme.example:443",
    "user@acme.example", " acme.example", "acme.example\n", "acme .example", "acme.exam\tple", "a\u0000b.example",
    "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "017700000001", "\uff11\uff12\uff17.0.0.1", "1.1.1.1.",
    "acme.1", "acme.0x", "::1", "[::1]", "fe80::1%eth0", f"{LABEL}a.example", "xn--a.example", "xn--.example",
    "a" * 254, f"{'a.' * 125}example", "acme.example\u202e", "\ud800.example", "ab--cd.example",
)  # fmt: skip


@for_each(("text", "name"), list(NORMALIZED.items()))
def test_name_has_one_stored_form(text: str, name: str) -> None:
    assert parse_domain_name(text) == name
    assert parse_domain_name(name) == name


@for_each("text", NO_NAMES, ids=ascii)
def test_other_text_is_no_domain_name(text: str) -> None:
    with pytest.raises(ValueError, match="Expected a domain name"):
        parse_domain_name(text)


def test_host_may_have_one_label() -> None:
    assert parse_host_name("LOCALHOST.") == "localhost"


def test_record_may_have_a_service_label() -> None:
    assert parse_record_name("_tenancy-verification.ACME.example") == "_tenancy-verification.acme.example"


@for_each("text", ["_a._b.acme.example", "_.acme.example", "_a.example/", "_a", "_a.127.0.0.1", f"_a.{'b.' * 125}com"])
def test_other_text_is_no_record_name(text: str) -> None:
    with pytest.raises(ValueError, match="Expected a domain name"):
        parse_record_name(text)


@for_each("text", ["a" * 250_000, "\u0301" * 250_000, "a." * 125_000, "\ufdfa" * 253])
def test_long_text_is_refused_quickly(text: str) -> None:
    started_at = time.process_time()

    with pytest.raises(ValueError, match="Expected a domain name"):
        parse_domain_name(text)

    assert time.process_time() - started_at < 0.5
