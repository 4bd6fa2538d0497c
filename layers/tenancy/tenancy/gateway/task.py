"""The wrapper of a state machine's tasks.

A failure gets a name. The text of a driver's error never reaches the execution's history.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tenancy.gateway.serve import log_fault

type Task = Callable[[Mapping[str, Any]], dict[str, Any]]


class TaskFailedError(Exception):
    """A task failed. The message is the type of the error. The log has the stack."""


def serve_tasks(tasks: Mapping[str, Task], event: Mapping[str, Any], expected: tuple[type[Exception], ...]) -> Any:  # noqa: ANN401
    """Run the task that *event* names and return its result.

    The state machine knows the *expected* errors by name.

    Raises:
        TaskFailedError: another error occurred. The state machine retries the task.
    """
    try:
        return tasks[event["task"]](event)
    except expected:
        raise
    except Exception as error:  # noqa: BLE001 - its text may quote a row and would be kept for 90 days
        log_fault(error, event.get("execution"))
        failure = type(error).__name__
    raise TaskFailedError(failure)
