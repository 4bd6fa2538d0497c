"""The report is read by people who were not there: it says what was tried, and nothing in it is markup."""

from scripts.prove.report_page import page

REPORT = {
    "date": "2026-11-24",
    "proven": False,
    "findings": {
        "attacks": {"combinations": 2_000, "leaks": ["<script>alert(1)</script>"], "by route": {"GET /usage": 7}},
        "malformed credentials": {"forms": 100, "faults (5xx)": []},
    },
    "mutants": [{"name": "a <b> & c", "wall": "roles", "file": "a.sql", "caught": False, "by": "nobody"}],
}


def test_a_page_shows_every_finding_and_escapes_it() -> None:
    text = page(REPORT)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "a &lt;b&gt; &amp; c" in text
    assert "<script" not in text
    for shown in ("2000", "Not proven", "0 of 1", "GET /usage", "missed", "malformed credentials".capitalize()):
        assert shown in text
