"""Executions of the state machine that deletes organizations (functions/delete/delete_organization.asl.json)."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Final
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError

TIMEOUTS: Final = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
ALREADY_THERE: Final = "ExecutionAlreadyExists"
NOT_THERE: Final = "ExecutionDoesNotExist"


class Progress(StrEnum):
    """How far an execution is; a failed one can be redriven."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What is known of an execution; *ended_at* is None while it runs."""

    progress: Progress
    ended_at: datetime | None


class Executions:
    """The executions of one state machine; their names and inputs carry ids and times, nothing of a person."""

    def __init__(self, region: str, state_machine_arn: str) -> None:
        """The client is made at the first use."""
        self._region = region
        self._state_machine_arn = state_machine_arn

    def start(self, organization_id: UUID, generation: int, *, purge_at: datetime, attempt: int = 1) -> None:
        """Make sure that this *attempt* at this deletion has been started. A second time changes nothing.

        Raises:
            UnavailableError: Step Functions refuses or does not answer.
        """
        start = {
            "organization_id": str(organization_id),
            "generation": generation,
            # the next whole second: Wait states cut the rest off, and would end before
            "purge_at": (purge_at + timedelta(microseconds=999_999)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        try:
            _client(self._region).start_execution(
                stateMachineArn=self._state_machine_arn,
                name=_name(organization_id, generation, attempt),
                input=json.dumps(start),
            )
        except (BotoCoreError, ClientError) as error:
            if _code(error) != ALREADY_THERE:
                raise UnavailableError("Step Functions does not start the deletion.") from error

    def find(self, organization_id: UUID, generation: int, *, attempt: int) -> Execution | None:
        """Return that *attempt* at this deletion, None when it was never started.

        Raises:
            UnavailableError: Step Functions refuses or does not answer.
        """
        name = _name(organization_id, generation, attempt)
        arn = f"{self._state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
        try:
            found = _client(self._region).describe_execution(executionArn=arn)
        except (BotoCoreError, ClientError) as error:
            if _code(error) == NOT_THERE:
                return None
            raise UnavailableError("Step Functions does not say how far the deletion is.") from error
        done = {"RUNNING": Progress.RUNNING, "PENDING_REDRIVE": Progress.RUNNING, "SUCCEEDED": Progress.DONE}
        return Execution(progress=done.get(found["status"], Progress.FAILED), ended_at=found.get("stopDate"))


def _name(organization_id: UUID, generation: int, attempt: int) -> str:
    return f"{organization_id}-{generation}-{attempt}"


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else ""


@cache
def _client(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return boto3.client("stepfunctions", region_name=region, config=TIMEOUTS)
