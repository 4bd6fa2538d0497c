"""The report page shows every finding, and escapes it."""

from scripts.prove.report_page import render_page

REPORT = {
    "date": "2026-11-24",
    "proven": False,
    "seconds": 754.3,
    "findings": {
        "attacks": {"combinations": 2_000, "leaks": ["<script>alert(1)</script>"], "by route": {"GET /usage": 7}},
        "malformed credentials": {"credentials": 100, "faults (5xx)": []},
    },
    "mutants": [
        {"name": "a <b> & c", "safeguard": "roles", "file": "a.sql", "caught": False, "by": "", "seconds": 12.0},
    ],
}


def test_report_page_shows_every_finding() -> None:
    page = render_page(REPORT)

    for text in ("2000", "Not proven", "0 of 1", "GET /usage", "missed", "Malformed credentials", "12 min 34 s"):
        assert text in page


def test_report_page_escapes_findings() -> None:
    page = render_page(REPORT)

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "a &lt;b&gt; &amp; c" in page
    assert "<script" not in page
