"""Documents whose commands run on the stack that `make up` started."""

import threading
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import STACK_FOLDER
from tests.e2e.deployed import Stack
from tests.stack_turns import stack_alone

SCHEDULED = ("PrivacyJobs", "Sweep")  # every minute on the deployed stack
PAUSE_SECONDS = 2.0


@pytest.fixture
def frequent_schedule() -> Iterator[None]:
    """Invoke the functions of the minute's schedule more often, and let no other test use the stack.

    So a document waits for seconds only.
    """
    stack, is_over = Stack.load(STACK_FOLDER / "stack.json"), threading.Event()

    def invoke() -> None:
        while not is_over.wait(PAUSE_SECONDS):
            for function in SCHEDULED:
                stack.invoke(function)

    with stack_alone():
        worker = threading.Thread(target=invoke)
        worker.start()
        yield
        is_over.set()
        worker.join()
