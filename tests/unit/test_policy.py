"""The policy of the authorizer allows the whole API, because it is cached for all paths."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tenancy.gateway.context import to_context
from tenancy.gateway.policy import allow_policy
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.tenant import CallerKind, Operator, RateBucket, Tenant
from tenancy.rules.tiers import Tier

ACME = Tenant(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    subdomain="acme",
    tier=Tier.GROWTH,
    scopes=frozenset({"stats:read"}),
    credential_id=UUID("0a000000-0000-4000-8000-0000000000c1"),
    kind=CallerKind.KEY,
)
LONGEST_SUBDOMAIN = 63  # characters of a DNS label
LONGEST_GATEWAY_KEY = 128  # characters of an API key of API Gateway
LONGEST_ANSWER_BYTES = 8 * 1024  # "Amazon API Gateway quotas": the result of a Lambda authorizer
API = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5"


@pytest.mark.parametrize(
    "method_arn",
    [f"{API}/v1/GET/usage", f"{API}/v1/POST/events", f"{API}/v1/GET/organizations/0a/usage", f"{API}/v1/GET/"],
)
def test_policy_allows_the_whole_stage_only(method_arn: str) -> None:
    statements = allow_policy(method_arn, ACME, "key")["policyDocument"]["Statement"]
    assert statements == [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{API}/v1/*"}]


def test_longest_answer_stays_below_api_gateways_limit() -> None:
    longest = replace(
        ACME,
        subdomain="s" * LONGEST_SUBDOMAIN,
        tier=Tier.ENTERPRISE,
        scopes=PERMISSIONS,
        kind=CallerKind.PERSON,
        bucket=RateBucket.MANAGEMENT,
        epoch=f"{2**63 - 1}:{2**63 - 1}",
        expires_at=datetime(9999, 12, 31, tzinfo=UTC),
    )

    answer = allow_policy(f"{API}/v1/GET/usage", longest, "k" * LONGEST_GATEWAY_KEY)

    assert len(json.dumps(answer)) <= LONGEST_ANSWER_BYTES / 2


def test_answer_has_the_form_for_api_gateway() -> None:
    answer = allow_policy(f"{API}/v1/GET/usage", ACME, "organization-0a-1")

    assert set(answer) == {"principalId", "policyDocument", "context", "usageIdentifierKey"}
    assert answer["policyDocument"]["Version"] == "2012-10-17"
    assert answer["principalId"] == str(ACME.credential_id)
    assert answer["usageIdentifierKey"] == "organization-0a-1"
    assert answer["context"] == to_context(ACME)


def test_operator_is_allowed_like_a_tenant() -> None:
    operator = Operator(credential_id=UUID("0c000000-0000-4000-8000-0000000000c2"))

    answer = allow_policy(f"{API}/v1/GET/usage", operator, "platform")

    assert (answer["principalId"], answer["usageIdentifierKey"]) == (str(operator.credential_id), "platform")
