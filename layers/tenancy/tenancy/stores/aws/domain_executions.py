"""Executions of the state machine that serves the API at custom domains.

The machine is functions/domains/serve_domain.asl.json.
"""

import json
from uuid import UUID

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.executions import EXECUTION_EXISTS


class DomainExecutions:
    """The executions of one state machine, one per attempt at a claim.

    Their names and inputs hold ids, and no domain: they are kept for 90 days, longer than an erased organization.
    """

    def __init__(self, aws: AwsClient, state_machine_arn: str) -> None:
        """Use the state machine through *aws*."""
        self._aws = aws
        self._state_machine_arn = state_machine_arn

    def start(self, organization_id: UUID, claim_id: UUID, *, attempt: int) -> None:
        """Start this *attempt* unless it was started before. Idempotent.

        Raises:
            UnavailableError: Step Functions rejected the call or is unreachable.
        """
        start = {"organization_id": str(organization_id), "claim_id": str(claim_id), "attempt": attempt}
        request = {
            "stateMachineArn": self._state_machine_arn,
            "name": f"{claim_id}-{attempt}",
            "input": json.dumps(start),
        }
        try:
            self._aws.call("AWSStepFunctions.StartExecution", request)
        except AwsCallError as error:
            if error.code != EXECUTION_EXISTS:
                raise UnavailableError("Step Functions did not start the work on a custom domain.") from error
