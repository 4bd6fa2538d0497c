"""One installation of the packages of Node for all workers of a run. It takes seconds of processor time."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from scripts.node_packages import NODE, install_programs

PAUSE_SECONDS: Final = 0.05  # several workers that find no folder share the lock


@contextmanager
def installed_programs(parent: Path) -> Iterator[Path]:
    """Yield the folder below *parent* that `install_programs` filled for the first worker.

    The last worker that uses it deletes it. It has a browser, and pytest keeps the folders of three runs.
    """
    folder = parent / "node"
    with (parent / "node.lock").open("w") as lock:
        _share(lock)
        while not folder.exists():
            if _own(lock):
                _install(folder)
            _share(lock)
        yield folder
        if _own(lock):
            shutil.rmtree(folder)


def _share(lock: TextIO) -> None:
    """Wait until no worker installs or deletes, and keep all from doing so."""
    fcntl.flock(lock, fcntl.LOCK_SH)


def _own(lock: TextIO) -> bool:
    """Take the lock from a share, if no other worker has one. Else give the share up for a moment."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(lock, fcntl.LOCK_UN)
        time.sleep(PAUSE_SECONDS)
        return False
    return True


def _install(folder: Path) -> None:
    """Install into *folder*, which is there only when it is complete."""
    unfinished = folder.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    install_programs(unfinished)
    # Else two workers would unpack it at the same time, and neither could start a file that the other one writes.
    subprocess.run([str(NODE), "unpack.mjs"], cwd=unfinished, env=os.environ | {"TMPDIR": str(unfinished)}, check=True)
    unfinished.rename(folder)
