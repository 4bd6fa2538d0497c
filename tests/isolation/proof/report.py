"""What a run of the proof tells: written as JSON where `--isolation-report` says, for `make prove` to print."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "isolation-report.json"


@dataclass(slots=True)
class Report:
    """Sections by name; *directory* is None in the short form, which tries a sample and writes nothing."""

    directory: Path | None
    sections: dict[str, Any] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        return self.directory is not None

    def write(self) -> None:
        if self.directory is not None:
            text = json.dumps(self.sections, indent=2, sort_keys=True)
            (self.directory / FILE).write_text(f"{text}\n", encoding="utf-8")
