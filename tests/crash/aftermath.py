"""What is there after a death: an organization's rows, its gateway keys, the mail that was sent."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import boto3
import psycopg
from moto.ses.models import ses_backends

from tests.given import REGION, AwsAccount

ACCOUNT = "123456789012"  # the one that moto plays
COUNT_ROWS = """
    SELECT count(*), (SELECT count(*) FROM users AS u JOIN organizations AS o ON o.id = u.organization_id
                      WHERE o.subdomain = %(subdomain)s),
           (SELECT count(*) FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id
            WHERE o.subdomain = %(subdomain)s),
           (SELECT count(*) FROM audit_log AS a JOIN organizations AS o ON o.id = a.organization_id
            WHERE o.subdomain = %(subdomain)s)
    FROM organizations WHERE subdomain = %(subdomain)s
"""
FIND_OWED = "SELECT kind FROM outbox WHERE organization_id = %s ORDER BY id"
FIND_METERED = "SELECT tier, gateway_key FROM organizations WHERE id = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """Looks past all policies, from outside of the process that died."""

    superuser: psycopg.Connection[Any]
    aws: AwsAccount

    def rows(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:  # noqa: ANN401 - psycopg's
        return self.superuser.execute(statement.encode(), values).fetchall()

    def counts(self, subdomain: str) -> tuple[int, ...]:
        """How many organizations, users, API keys and audit records there are of the one at *subdomain*."""
        return self.rows(COUNT_ROWS, {"subdomain": subdomain})[0]

    def owed(self, organization_id: UUID) -> list[str]:
        return [kind for (kind,) in self.rows(FIND_OWED, (organization_id,))]

    def is_metered(self, organization_id: UUID) -> bool:
        """Whether the key that the authorizer hands out now is in the plan of the organization's tier."""
        [(tier, gateway_key)] = self.rows(FIND_METERED, (organization_id,))
        return (tier, gateway_key) in self.gateway_keys(organization_id)

    def gateway_keys(self, organization_id: UUID) -> list[tuple[str, str]]:
        """The organization's keys, each with the tier whose plan it is in; moto keeps a deleted one in its plan."""
        gateway = boto3.client("apigateway", region_name=REGION)
        found = gateway.get_api_keys(nameQuery=f"organization-{organization_id}", limit=500)["items"]
        there = {item["name"] for item in found}
        return [
            (tier, item["name"])
            for tier, plan_id in self.aws.plan_ids.items()
            for item in gateway.get_usage_plan_keys(usagePlanId=plan_id)["items"]
            if item["name"] in there
        ]

    def mails_to(self, address: str) -> list[str]:
        """The subjects of what was sent to *address*; moto serves from this process, and has no call for it."""
        messages = ses_backends[ACCOUNT][REGION].sent_messages
        return [message.subject for message in messages if message.destinations["ToAddresses"] == [address]]
