"""A place for a stack of a test's own, and ports that no other stack has."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack import processes, stack
from scripts.stack.settings import StackSettings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def settings() -> Iterator[StackSettings]:
    # Not pytest's own folder, which is closed to the user as whom PostgreSQL runs when root runs the tests.
    directory = Path(tempfile.mkdtemp(prefix="stack-"))
    yield StackSettings(root=ROOT, directory=directory)
    for name in stack.STOP_ORDER:
        processes.stop(directory, name)
    shutil.rmtree(directory)
