"""A deliberate defect, and the test that is expected to catch it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

CORE: Final = "layers/tenancy/tenancy"
POSTGRES: Final = "layers/migrations/postgres"
ISOLATION_TESTS: Final = "tests/isolation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One deliberate defect: a change of one file that disables one safeguard.

    *caught_by* is the pytest node id of the test that is expected to fail.
    """

    name: str
    safeguard: str
    file: str
    old: str
    new: str
    caught_by: str

    def apply(self, root: Path) -> None:
        """Make the change in the copy of the code under *root*.

        Raises:
            ValueError: the text to replace does not occur exactly once.
        """
        file = root / self.file
        text = file.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: the text to replace occurs {text.count(self.old)} times in {self.file}.")
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")
