"""A defect made on purpose, to see that the proof notices it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

CORE: Final = "layers/tenancy/tenancy"
POSTGRES: Final = "layers/migrations/postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One defect: what it is, the wall that it breaks, and the change of one file that makes it."""

    name: str
    wall: str
    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Break the copy of the code under *root*.

        Raises:
            ValueError: the text to replace does not occur exactly once.
        """
        file = root / self.file
        text = file.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: the text occurs {text.count(self.old)} times in {self.file}.")
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")
