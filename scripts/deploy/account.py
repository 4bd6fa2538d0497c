"""Checks of the AWS account before a deploy. CloudFormation itself would fail only after half an hour."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

INGEST_CONCURRENCY: Final = "IngestConcurrency"
UNRESERVED_EXECUTIONS: Final = 100  # Lambda refuses a reservation that leaves fewer
QUOTA: Final = "L-B99A9384"


def find_account_problems(aws_lambda: Any, parameters: Mapping[str, str]) -> Iterator[str]:  # noqa: ANN401 - boto3's client
    """Yield each reason why the account cannot have a stack with *parameters*, or none if AWS refuses the call."""
    reserved = int(parameters.get(INGEST_CONCURRENCY) or 0)
    try:
        limit = int(aws_lambda.get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    except (BotoCoreError, ClientError):
        return
    if reserved and limit - reserved < UNRESERVED_EXECUTIONS:
        yield (
            f"The account has {limit} concurrent executions of Lambda. {INGEST_CONCURRENCY}={reserved} needs"
            f" {reserved + UNRESERVED_EXECUTIONS}. Ask for more ({QUOTA} of Service Quotas), or lower it."
        )
