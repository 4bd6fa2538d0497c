"""Executions of the state machine that deletes organizations.

The machine is functions/delete/delete_organization.asl.json.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.stores.aws.client import AwsClient

EXECUTION_EXISTS: Final = "ExecutionAlreadyExists"
EXECUTION_MISSING: Final = "ExecutionDoesNotExist"


class Progress(StrEnum):
    """The progress of an execution. A failed execution can be redriven."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The state of one execution. *ended_at* is None while it runs."""

    progress: Progress
    ended_at: datetime | None


class Executions:
    """The executions of one state machine.

    Names and inputs of executions hold ids and times, no personal data.
    """

    def __init__(self, aws: AwsClient, state_machine_arn: str) -> None:
        """Use the state machine through *aws*."""
        self._aws = aws
        self._state_machine_arn = state_machine_arn

    def start(self, organization_id: UUID, generation: int, *, purge_at: datetime, attempt: int = 1) -> None:
        """Start this *attempt* at this deletion unless it was started before. Idempotent.

        Raises:
            UnavailableError: Step Functions rejected the call or is unreachable.
        """
        start = {
            "organization_id": str(organization_id),
            "generation": generation,
            # Rounded up. A Wait state ignores fractions of a second, and would end before `purge_at`.
            "purge_at": (purge_at + timedelta(microseconds=999_999)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        request = {
            "stateMachineArn": self._state_machine_arn,
            "name": _name(organization_id, generation, attempt),
            "input": json.dumps(start),
        }
        try:
            self._aws.call("AWSStepFunctions.StartExecution", request)
        except AwsCallError as error:
            if error.code != EXECUTION_EXISTS:
                raise UnavailableError("Step Functions did not start the deletion.") from error

    def find(self, organization_id: UUID, generation: int, *, attempt: int) -> Execution | None:
        """Return this *attempt* at this deletion, or None if it was never started.

        Raises:
            UnavailableError: Step Functions rejected the call or is unreachable.
        """
        name = _name(organization_id, generation, attempt)
        arn = f"{self._state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
        try:
            found = self._aws.call("AWSStepFunctions.DescribeExecution", {"executionArn": arn})
        except AwsCallError as error:
            if error.code == EXECUTION_MISSING:
                return None
            raise UnavailableError("Step Functions did not return the state of the deletion.") from error
        progress = {"RUNNING": Progress.RUNNING, "PENDING_REDRIVE": Progress.RUNNING, "SUCCEEDED": Progress.DONE}
        return Execution(progress=progress.get(found["status"], Progress.FAILED), ended_at=_find_end(found))


def _name(organization_id: UUID, generation: int, attempt: int) -> str:
    return f"{organization_id}-{generation}-{attempt}"


def _find_end(found: Mapping[str, Any]) -> datetime | None:
    ended_at = found.get("stopDate")  # a Unix time with fractions
    return None if ended_at is None else datetime.fromtimestamp(ended_at, UTC)
