"""The capacity model: how many servers, messages and dollars a load takes, and which limit it meets first."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
