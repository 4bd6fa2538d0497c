"""The state after a crash: an organization's rows, gateway keys and sent mails."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import boto3
import psycopg
from moto.ses.models import ses_backends

from tenancy.rules.entitlements import Entitlements
from tenancy.rules.tiers import Tier
from tenancy.rules.usage_plans import plan_of
from tests.given import REGION, AwsAccount

ACCOUNT = "123456789012"  # moto's account
COUNT_ROWS = """
    SELECT count(*), (SELECT count(*) FROM users AS u JOIN organizations AS o ON o.id = u.organization_id
                      WHERE o.subdomain = %(subdomain)s),
           (SELECT count(*) FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id
            WHERE o.subdomain = %(subdomain)s),
           (SELECT count(*) FROM audit_log AS a JOIN organizations AS o ON o.id = a.organization_id
            WHERE o.subdomain = %(subdomain)s)
    FROM organizations WHERE subdomain = %(subdomain)s
"""
LIST_PENDING_KINDS = "SELECT kind FROM outbox WHERE organization_id = %s ORDER BY id"
FIND_GATEWAY_KEY = "SELECT tier, overrides, gateway_key FROM organizations WHERE id = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """Reads past all row policies, from outside of the crashed process."""

    superuser: psycopg.Connection[Any]
    aws: AwsAccount

    def rows(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:  # noqa: ANN401 - psycopg's
        return self.superuser.execute(statement.encode(), values).fetchall()

    def counts(self, subdomain: str) -> tuple[int, ...]:
        """Count the organizations, users, API keys and audit records at *subdomain*."""
        return self.rows(COUNT_ROWS, {"subdomain": subdomain})[0]

    def pending_kinds(self, organization_id: UUID) -> list[str]:
        """Return the kinds of the organization's outbox entries."""
        return [kind for (kind,) in self.rows(LIST_PENDING_KINDS, (organization_id,))]

    def is_metered(self, organization_id: UUID) -> bool:
        """Whether the organization's current gateway key is in the plan of its entitlements."""
        [(tier, overrides, gateway_key)] = self.rows(FIND_GATEWAY_KEY, (organization_id,))
        plan = plan_of(Entitlements(tier=Tier(tier), overrides=overrides))
        return (plan, gateway_key) in self.gateway_keys(organization_id)

    def gateway_keys(self, organization_id: UUID) -> list[tuple[str, str]]:
        """Return the organization's existing keys, each with its plan.

        moto lists a deleted key in its plan, so the plans alone do not tell.
        """
        gateway = boto3.client("apigateway", region_name=REGION)
        items = gateway.get_api_keys(nameQuery=f"organization-{organization_id}", limit=500)["items"]
        names = {item["name"] for item in items}
        return [
            (tier, item["name"])
            for tier, plan_id in self.aws.plan_ids.items()
            for item in gateway.get_usage_plan_keys(usagePlanId=plan_id)["items"]
            if item["name"] in names
        ]

    def mails_to(self, address: str) -> list[str]:
        """Return the subjects of the mails to *address*.

        moto runs in this process and has no API call for them.
        """
        messages = ses_backends[ACCOUNT][REGION].sent_messages
        return [message.subject for message in messages if message.destinations["ToAddresses"] == [address]]
