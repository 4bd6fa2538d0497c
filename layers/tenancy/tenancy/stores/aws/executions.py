"""Executions of the state machine that deletes organizations.

The machine is functions/delete/delete_organization.asl.json.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Final
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.stores.aws.boto import BOTO_CONFIG, load_boto, make_client

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

    def __init__(self, region: str, state_machine_arn: str) -> None:
        """Use the state machine in *region*. The client is made at the first use."""
        self._region = region
        self._state_machine_arn = state_machine_arn
        load_boto()

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
        try:
            _client(self._region).start_execution(
                stateMachineArn=self._state_machine_arn,
                name=_name(organization_id, generation, attempt),
                input=json.dumps(start),
            )
        except (BotoCoreError, ClientError) as error:
            if _code(error) != EXECUTION_EXISTS:
                raise UnavailableError("Step Functions did not start the deletion.") from error

    def find(self, organization_id: UUID, generation: int, *, attempt: int) -> Execution | None:
        """Return this *attempt* at this deletion, or None if it was never started.

        Raises:
            UnavailableError: Step Functions rejected the call or is unreachable.
        """
        name = _name(organization_id, generation, attempt)
        arn = f"{self._state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
        try:
            found = _client(self._region).describe_execution(executionArn=arn)
        except (BotoCoreError, ClientError) as error:
            if _code(error) == EXECUTION_MISSING:
                return None
            raise UnavailableError("Step Functions did not return the state of the deletion.") from error
        progress = {"RUNNING": Progress.RUNNING, "PENDING_REDRIVE": Progress.RUNNING, "SUCCEEDED": Progress.DONE}
        return Execution(progress=progress.get(found["status"], Progress.FAILED), ended_at=found.get("stopDate"))


def _name(organization_id: UUID, generation: int, attempt: int) -> str:
    return f"{organization_id}-{generation}-{attempt}"


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else ""


@cache
def _client(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return make_client("stepfunctions", region, BOTO_CONFIG)
