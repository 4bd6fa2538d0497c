"""The authorizer's answer: Allow for the whole API, because it is cached for every path."""

from typing import Any

from tenancy.gateway.context import to_context
from tenancy.rules.tenant import Caller


def allow_policy(stage_arn: str, caller: Caller, gateway_key: str) -> dict[str, Any]:
    """Return the IAM policy for all routes of the stage *stage_arn*, with the caller.

    *gateway_key* is the API key by which API Gateway meters the caller. Source: API Gateway developer guide, "Output
    from an API Gateway Lambda authorizer".
    """
    return {
        "principalId": str(caller.credential_id),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{stage_arn}/*"}],
        },
        "context": to_context(caller),
        "usageIdentifierKey": gateway_key,
    }
