"""Executions of state machines that continue after a restart, as in AWS.

MiniStack marks each execution that was running when it stopped as failed. Here such an execution starts again at its
first state. The tasks of our state machine are idempotent, and a wait until a past time ends at once.
"""

# ruff: noqa: SLF001 - MiniStack has no other way in

import contextvars
import threading

from ministack.core import responses
from ministack.services import stepfunctions

INTERRUPTED = "States.ServiceRestart"


def resume_interrupted() -> None:
    """Start each execution again that the last stop of MiniStack interrupted."""
    for account, region, arn in list(stepfunctions._executions._data):
        contextvars.copy_context().run(_resume, account, region, arn)


def _resume(account: str, region: str, arn: str) -> None:
    responses.set_request_account_id(account)
    responses.set_request_region(region)
    execution = stepfunctions._executions[arn]
    if execution.get("error") != INTERRUPTED:
        return
    execution |= {"status": "RUNNING", "stopDate": None, "error": None, "cause": None}
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(stepfunctions._run_execution, arn), name=f"execution {arn}", daemon=True).start()
