"""Runs the programs of clients: Node, Python and Chromium."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

HANG_SECONDS = 1_200  # no program takes a tenth of it, also on a slow machine


def run_client(command: Sequence[str], folder: Path, *, given: str = "") -> str:
    """Run *command* in *folder* with the input *given*, and return its output.

    A program that fails, or that never ends, fails the test with its error output.
    """
    variables = os.environ | {"TMPDIR": str(folder)}  # Chromium is unpacked there once
    try:
        ran = subprocess.run(
            command, cwd=folder, env=variables, input=given, capture_output=True, text=True, check=True,
            timeout=HANG_SECONDS,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        raise AssertionError(f"{error}\n{getattr(error, 'stderr', '')}") from error
    return ran.stdout
