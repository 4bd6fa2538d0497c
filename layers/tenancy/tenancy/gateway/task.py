"""Around a task of a state machine: its failure gets a name, and no text of a driver into the execution's history."""

from collections.abc import Callable, Mapping
from typing import Any

from tenancy.gateway.serve import log_fault

type Task = Callable[[Mapping[str, Any]], dict[str, Any]]


class TaskFailedError(Exception):
    """A task failed; its text is the type of what went wrong, the log says where."""


def serve_tasks(tasks: Mapping[str, Task], event: Mapping[str, Any], expected: tuple[type[Exception], ...]) -> Any:  # noqa: ANN401
    """Return what the task does that *event* names; *expected* errors are what the state machine knows by name.

    Raises:
        TaskFailedError: something else went wrong; the state machine tries again.
    """
    try:
        return tasks[event["task"]](event)
    except expected:
        raise
    except Exception as error:  # noqa: BLE001 - the edge: its text may quote a row, and would be kept for 90 days
        log_fault(error, event.get("execution"))
        failure = type(error).__name__
    raise TaskFailedError(failure)
