"""The findings of a run, for the report of `make prove`.

`pytest -p tests.isolation.proof.report --isolation-report DIR` tries all combinations, and writes the findings to DIR.
Without that option the tests try a sample.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

FILE = "isolation-report.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--isolation-report", type=Path, metavar="DIR", help="try all combinations, write findings to DIR")


@dataclass(slots=True)
class ProofReport:
    """Sections of findings by name.

    *directory* is None if the tests try a sample, and write nothing.
    """

    directory: Path | None
    sections: dict[str, Any] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        return self.directory is not None

    def write(self) -> None:
        if self.directory is not None:
            text = json.dumps(self.sections, indent=2, sort_keys=True)
            (self.directory / FILE).write_text(f"{text}\n", encoding="utf-8")
