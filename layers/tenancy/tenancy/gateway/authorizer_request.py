"""The request of API Gateway to its authorizer, as a value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tenancy.gateway.headers import parse_header_values

# Source: API Gateway developer guide, "Input to an API Gateway Lambda authorizer".
METHOD_ARN: Final = re.compile(r"(arn:[\w-]+:execute-api:[\w-]*:\w*:\w+/[\w$-]+)/[A-Z]+/.*", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizerRequest:
    """The headers of a request, and the stage that it is for.

    *header_values* has all values of each header, by the name in lower case. *stage_arn* is the ARN of the API's stage,
    or empty if the event does not name one.
    """

    header_values: Mapping[str, tuple[str, ...]]
    stage_arn: str
    request_id: str


def parse_authorizer_request(event: object) -> AuthorizerRequest:
    """Return the parts of *event* that the authorizer uses.

    It never raises. A member that is missing or of another type counts as empty.
    """
    members: Mapping[str, Any] = event if isinstance(event, Mapping) else {}
    context = members.get("requestContext")
    request_id = context.get("requestId") if isinstance(context, Mapping) else None
    method_arn = members.get("methodArn")
    named = METHOD_ARN.fullmatch(method_arn) if isinstance(method_arn, str) else None
    return AuthorizerRequest(
        header_values=parse_header_values(members),
        stage_arn=named[1] if named else "",
        request_id=request_id if isinstance(request_id, str) else "",
    )
