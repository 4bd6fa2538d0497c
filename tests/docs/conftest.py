"""Documents whose commands run on the stack that `make up` started."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.e2e.conftest import STACK_FOLDER
from tests.e2e.deployed import Stack
from tests.stack_turns import sharing_stack, stack_alone

SCHEDULED = ("PrivacyJobs", "Sweep")  # every minute on the deployed stack
PAUSE_SECONDS = 2.0


class Turns:
    """A document's turns on the stack.

    The scheduled functions run every few seconds while the document waits, so that it waits less.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._held = ExitStack()
        self._is_alone = False
        self._changing = threading.Lock()
        self._is_waiting = False
        self._is_over = threading.Event()

    def take(self, *, alone: bool, is_waiting: bool) -> None:
        """Share the stack, or let no other test use it. Run the scheduled functions if the document *is_waiting*."""
        self._is_waiting = is_waiting
        if alone != self._is_alone:
            with self._changing:
                self._held.close()
                self._held.enter_context(stack_alone() if alone else sharing_stack())
                self._is_alone = alone

    @contextmanager
    def running(self) -> Iterator[None]:
        """Share the stack, and invoke the functions while the block runs."""
        schedule = threading.Thread(target=self._invoke)
        with self._held:
            self._held.enter_context(sharing_stack())
            schedule.start()
            yield
            self._is_over.set()
            schedule.join()

    def _invoke(self) -> None:
        while not self._is_over.wait(PAUSE_SECONDS):
            for function in SCHEDULED if self._is_waiting else ():
                with self._changing:  # without a turn, another test may have stopped the database
                    self._stack.invoke(function)


@pytest.fixture
def turns() -> Iterator[Turns]:
    turns = Turns(Stack.load(STACK_FOLDER / "stack.json"))
    with turns.running():
        yield turns
