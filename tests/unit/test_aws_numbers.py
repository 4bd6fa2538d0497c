"""The file of AWS's numbers: each one has a source and a date, or is an assumption. The measured times are complete."""

import tomllib
from datetime import date
from typing import Any

import pytest

from scripts.capacity.known import AWS, ServiceTimes

DOCUMENT: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(AWS.read_text())
ENTRIES = [(f"{section}.{name}", entry) for section, entries in DOCUMENT.items() for name, entry in entries.items()]


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_number_has_a_source_and_a_date_or_is_an_assumption(name: str, entry: dict[str, Any]) -> None:
    is_assumption = entry.get("is_assumption", False)

    assert is_assumption == name.startswith("assumptions.")
    assert is_assumption or (entry["source"] and isinstance(entry["date"], date))


def test_tiers_of_prices_grow_and_have_no_end() -> None:
    for entry in DOCUMENT["prices"].values():
        ends = [end for end, _ in entry["tiers"]]

        assert ends == sorted(ends)
        assert ends[-1] == float("inf")


def test_measured_times_are_complete() -> None:
    times = ServiceTimes.load_file()

    assert date.fromisoformat(times.measured_at)
    assert min(times.authorizer, times.ingest.at(1), times.script, times.load.at(1), times.insert.at(1)) > 0
