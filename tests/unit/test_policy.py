"""The policy of the authorizer allows the whole API, because it is cached for all paths."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from tenancy.gateway.context import to_context
from tenancy.gateway.policy import allow_policy
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.tenant import CallerKind, Operator, RateBucket, Tenant
from tenancy.rules.tiers import Tier
from tenancy.use_cases.keys.authenticate import Authenticated

ACME = Tenant(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    subdomain="acme",
    scopes=frozenset({"stats:read"}),
    credential_id=UUID("0a000000-0000-4000-8000-0000000000c1"),
    kind=CallerKind.KEY,
)
AUTHENTICATED = Authenticated(caller=ACME, gateway_key="organization-0a-1", tier=Tier.GROWTH)
LONGEST_SUBDOMAIN = 63  # characters of a DNS label
LONGEST_GATEWAY_KEY = 128  # characters of an API key of API Gateway
LONGEST_ANSWER_BYTES = 8 * 1024  # "Amazon API Gateway quotas": the result of a Lambda authorizer
API = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5"


def test_policy_allows_the_whole_stage_only() -> None:
    policy = allow_policy(f"{API}/v1", AUTHENTICATED, platform_gateway_key="platform")["policyDocument"]

    statements = policy["Statement"]
    assert statements == [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{API}/v1/*"}]


def test_longest_answer_stays_below_api_gateways_limit() -> None:
    longest = replace(
        ACME,
        subdomain="s" * LONGEST_SUBDOMAIN,
        scopes=PERMISSIONS,
        kind=CallerKind.PERSON,
        bucket=RateBucket.MANAGEMENT,
        epoch=f"{2**63 - 1}.{2**63 - 1}",
        expires_at=datetime(9999, 12, 31, tzinfo=UTC),
    )

    authenticated = Authenticated(caller=longest, gateway_key="k" * LONGEST_GATEWAY_KEY, tier=Tier.ENTERPRISE)

    answer = allow_policy(f"{API}/v1", authenticated, platform_gateway_key="platform")

    assert len(json.dumps(answer)) <= LONGEST_ANSWER_BYTES / 2


def test_answer_has_the_form_for_api_gateway() -> None:
    answer = allow_policy(f"{API}/v1", AUTHENTICATED, platform_gateway_key="platform")

    assert set(answer) == {"principalId", "policyDocument", "context", "usageIdentifierKey"}
    assert answer["policyDocument"]["Version"] == "2012-10-17"
    assert answer["principalId"] == str(ACME.credential_id)
    assert answer["usageIdentifierKey"] == "organization-0a-1"
    assert answer["context"] == {**to_context(ACME), "tier": "growth"}


def test_operator_is_allowed_like_a_tenant() -> None:
    operator = Operator(credential_id=UUID("0c000000-0000-4000-8000-0000000000c2"))

    authenticated = Authenticated(caller=operator, gateway_key=None)

    answer = allow_policy(f"{API}/v1", authenticated, platform_gateway_key="platform")

    assert (answer["principalId"], answer["usageIdentifierKey"]) == (str(operator.credential_id), "platform")
