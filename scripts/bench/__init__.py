"""The benchmarks of docs/performance.md: servers, data and tables. The figures are in `figures`."""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(ROOT / "layers" / "tenancy"))  # as Lambda mounts the layer
