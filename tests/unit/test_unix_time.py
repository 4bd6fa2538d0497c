"""Milliseconds since 1970: computed in one module."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tenancy.rules.unix_time import first_time_of, milliseconds_of, time_of
from tests.given import ROOT

CORE = ROOT / "layers" / "tenancy" / "tenancy"


@pytest.mark.parametrize("milliseconds", [-2_208_988_800_000, -1, 0, 1, 1_795_824_000_123, 10_413_791_999_999])
def test_time_of_milliseconds_has_these_milliseconds(milliseconds: int) -> None:
    assert milliseconds_of(time_of(milliseconds)) == milliseconds


def test_microseconds_are_cut_off() -> None:
    moment = datetime(2026, 11, 24, 12, 0, 0, 123_999, tzinfo=UTC)

    assert milliseconds_of(moment) == milliseconds_of(moment - timedelta(microseconds=999))


def test_first_time_of_a_day_is_its_midnight() -> None:
    assert time_of(first_time_of(date(1969, 12, 31))) == datetime(1969, 12, 31, tzinfo=UTC)


def test_no_other_module_has_an_epoch() -> None:
    modules = [path for path in CORE.rglob("*.py") if "\nEPOCH" in path.read_text()]

    assert [path.name for path in modules] == ["unix_time.py"]
