"""`pytest -p tests.isolation.proof.report_option --isolation-report DIR`: try everything, and say what was tried."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--isolation-report", type=Path, metavar="DIR", help="try all combinations, and report into DIR")
