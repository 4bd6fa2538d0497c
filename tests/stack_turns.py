"""Turns of tests on the deployed stack: many share it, and a test that stops a part of it has it alone.

Workers of one run use the stack at the same time. A test that waits to have it alone keeps new ones from starting.
The stack knows one name server and two providers, at fixed addresses. Tests that play one of them take turns.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.given import ROOT

FOLDER = ROOT / os.environ.get("STACK_DIR", ".local")


@contextmanager
def sharing_stack() -> Iterator[None]:
    """Run the block beside other tests of the stack."""
    with _locked(fcntl.LOCK_SH):
        yield


@contextmanager
def outside_servers() -> Iterator[None]:
    """Run the block while no other test plays a server outside of the stack, or changes which ones it may call.

    Take the stack after that: a test that waits here must not keep others from having the stack alone.
    """
    with (FOLDER / "turns-outside.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def stack_alone() -> Iterator[None]:
    """Run the block while no other test uses the stack."""
    with _locked(fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(kind: int) -> Iterator[None]:
    with (FOLDER / "turns.lock").open("a") as lock:
        with (FOLDER / "turns-gate.lock").open("a") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(lock, kind)
        yield
