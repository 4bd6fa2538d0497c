"""What the authorizer answers: Allow for the whole API, because the answer is cached for every path."""

from typing import Any

from tenancy.gateway.context import to_context
from tenancy.rules.tenant import Caller


def allow_policy(method_arn: str, caller: Caller, gateway_key: str) -> dict[str, Any]:
    """Return the IAM policy for the API and stage of *method_arn*, with the caller and the key that meters it.

    Source: API Gateway developer guide, "Output from an API Gateway Lambda authorizer".
    """
    api_and_stage = "/".join(method_arn.split("/")[:2])
    return {
        "principalId": str(caller.credential_id),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{api_and_stage}/*"}],
        },
        "context": to_context(caller),
        "usageIdentifierKey": gateway_key,
    }
