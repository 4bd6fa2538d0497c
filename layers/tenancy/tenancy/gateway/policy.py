"""The authorizer's answer: Allow for the whole API, because it is cached for every path."""

from typing import Any

from tenancy.gateway.context import to_context
from tenancy.use_cases.keys.authenticate import Authenticated


def allow_policy(stage_arn: str, authenticated: Authenticated, *, platform_gateway_key: str) -> dict[str, Any]:
    """Return the IAM policy for all routes of the stage *stage_arn*, with the caller.

    *platform_gateway_key* is the API key by which API Gateway meters the operator. Source: API Gateway developer guide,
    "Output from an API Gateway Lambda authorizer".
    """
    caller = authenticated.caller
    # Only functions of release 0.2 read the tier, while an upgrade replaces them. Delete it in release 0.4.
    former = {"tier": authenticated.tier.value} if authenticated.tier else {}
    return {
        "principalId": str(caller.credential_id),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{stage_arn}/*"}],
        },
        "context": {**to_context(caller), **former},
        "usageIdentifierKey": authenticated.gateway_key or platform_gateway_key,
    }
