"""Fetch a URL, or list the TXT or CNAME records of a name, that a tenant named.

Other functions invoke it. It has no right in AWS and is outside the VPC, so a URL leads to nothing of the platform.
"""

from typing import Any

import msgspec
from aws_lambda_powertools import Logger

from tenancy.rules.fetching import FetchRefused, FetchRequest
from tenancy.settings import Settings
from tenancy.use_cases.fetch.fetch import answer_request
from tenancy.wiring import Wiring

logger = Logger()
settings = Settings.from_env("DNS_RESOLVER", "PRIVATE_HOSTS_ALLOWED")
names = Wiring(settings).names


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one request of a function. The log has the fault, and no URL: its query may hold a secret."""
    request: FetchRequest = msgspec.convert(event, FetchRequest)
    answer = answer_request(names, request, settings.private_hosts or frozenset())
    logger.info(
        "fetched", kind=type(request).__name__, fault=answer.fault if isinstance(answer, FetchRefused) else None
    )
    result: dict[str, Any] = msgspec.to_builtins(answer)
    return result
