"""Refusals of ACM and API Gateway that a retry does not change."""

from typing import Final

from botocore.exceptions import ClientError

from tenancy.rules.custom_domains import DomainFailure

LIMIT_EXCEEDED: Final = "LimitExceededException"  # a quota of the account. Throttling has other codes.


class DomainRefusedError(Exception):
    """A service of AWS refused a resource of a claim. *failure* is the reason for the organization."""

    def __init__(self, failure: DomainFailure) -> None:
        """Take the reason."""
        super().__init__(failure.value)
        self.failure = failure


def error_code(error: ClientError) -> str:
    """Return the code of an error of AWS."""
    return str(error.response.get("Error", {}).get("Code"))
