"""The client of Amazon SES, API version 2."""

from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from tenancy.stores.aws.boto import BOTO_CONFIG, make_client


@cache
def ses_client(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """Return the client of *region*, which all callers share."""
    return make_client("sesv2", region, BOTO_CONFIG)


def code_of(error: Exception) -> str:
    """Return SES's code of *error*, or the name of its type."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code"))
    return type(error).__name__
