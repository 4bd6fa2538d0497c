"""The picture of the isolation report: its numbers are the report's, and failures are marked."""

from typing import Any
from xml.etree import ElementTree as ET

from scripts.isolation_picture import draw

SVG = "{http://www.w3.org/2000/svg}"


def report(*, leaks: list[str], caught: bool) -> dict[str, Any]:
    attacks = {
        "combinations": 75267,
        "leaks": leaks,
        "faults (5xx)": [],
        "existence leaks": [],
        "by injection point": {"path": 2604, "header & host": 7224},
    }
    mutants = [
        {"safeguard": "roles", "caught": True},
        {"safeguard": "roles", "caught": caught},
    ]
    return {"date": "2026-11-28", "proven": caught, "findings": {"attacks": attacks}, "mutants": mutants}


def texts(picture: str) -> dict[str, str]:
    """Return the texts of a picture, each with its style."""
    return {text.text or "": text.get("class", "") for text in ET.fromstring(picture).iter(f"{SVG}text")}


def test_picture_shows_the_numbers() -> None:
    found = texts(draw(report(leaks=[], caught=True)))

    assert {"75,267", "2 of 2", "2,604", "header & host"} <= set(found)
    assert [text for text, style in found.items() if "bad" in style] == []


def test_picture_marks_failures() -> None:
    found = texts(draw(report(leaks=["GET /v1/usage"], caught=False)))

    bad = {text for text, style in found.items() if "bad" in style}

    assert bad == {"Isolation of organizations: NOT PROVEN, 2026-11-28", "1", "1 of 2"}


def test_missing_findings_are_marked() -> None:
    found = texts(draw({"date": "2026-11-28", "proven": False, "findings": {}, "mutants": []}))

    assert "bad" in found["0"]
