"""API Gateway's keys and usage plans: one key per organization, in the plan of its tier."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.organization import gateway_key_value
from tenancy.rules.tiers import Tier

# Four calls of these bounds fit into provisioning's 29 s; the outbox tries again.
TIMEOUTS: Final = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
ALREADY_THERE: Final = "ConflictException"
STACK_TAG: Final = "tenancy:usage-plans"  # whose value is *plans_path*: policies let a stack delete its own keys alone


class GatewayKeys:
    """The keys of the deployed API; *plans_path* is where the stack notes its plans' ids in the Parameter Store."""

    def __init__(self, region: str, plans_path: str = "") -> None:
        """Clients are made at the first use; without *plans_path* no key can be put into a plan."""
        self._region = region
        self._plans_path = plans_path
        self._plan_ids: Mapping[str, str] = {}

    def put_key(self, organization_id: UUID, value: str, tier: Tier) -> None:
        """Make sure that the organization's key *value* exists and is in the plan of *tier*.

        A second time changes nothing.

        Raises:
            ValueError: the key is not the organization's: its name says whose it is.
            UnavailableError: API Gateway refuses or does not answer; the next try goes on where this one ended.
        """
        _require_own(organization_id, value)
        try:
            client = _api_gateway(self._region)
            key_id = _find_key(client, value) or _create_key(client, value, self._plans_path)
            _join_plan(client, self._plan_id(tier), key_id)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway does not take the key.") from error

    def delete_key(self, organization_id: UUID, value: str) -> None:
        """Make sure that the organization's key *value* is gone. A second time changes nothing.

        Raises:
            ValueError: the key is not the organization's.
            UnavailableError: API Gateway refuses or does not answer.
        """
        _require_own(organization_id, value)
        try:
            client = _api_gateway(self._region)
            key_id = _find_key(client, value)
            if key_id is not None:
                client.delete_api_key(apiKey=key_id)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway does not give up the key.") from error

    def delete_keys(self, organization_id: UUID) -> None:
        """Make sure that no key of the organization is left. A second time changes nothing.

        Raises:
            UnavailableError: API Gateway refuses or does not answer.
        """
        try:
            client = _api_gateway(self._region)
            for key_id in _list_keys(client, organization_id):
                client.delete_api_key(apiKey=key_id)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway does not give up the keys.") from error

    def count_keys(self, organization_id: UUID) -> int:
        """Return how many keys the organization has.

        Raises:
            UnavailableError: API Gateway refuses or does not answer.
        """
        try:
            return len(_list_keys(_api_gateway(self._region), organization_id))
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway does not list the keys.") from error

    def _plan_id(self, tier: Tier) -> str:
        if tier not in self._plan_ids:
            answer = _parameters(self._region).get_parameters_by_path(Path=self._plans_path)
            self._plan_ids = {entry["Name"].rpartition("/")[2]: entry["Value"] for entry in answer["Parameters"]}
        if tier not in self._plan_ids:
            raise UnavailableError("The stack has not noted its usage plans yet.")
        return self._plan_ids[tier]


def _require_own(organization_id: UUID, value: str) -> None:
    if str(organization_id) not in value:
        raise ValueError("A gateway key names its organization.")


@cache
def _api_gateway(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return boto3.client("apigateway", region_name=region, config=TIMEOUTS)


@cache
def _parameters(region: str) -> Any:  # noqa: ANN401
    return boto3.client("ssm", region_name=region, config=TIMEOUTS)


def _find_key(client: Any, value: str) -> str | None:  # noqa: ANN401
    """Find the key by its name, which is its value: API Gateway searches names by their beginning."""
    found = client.get_api_keys(nameQuery=value, includeValues=False)["items"]
    return next((str(item["id"]) for item in found if item["name"] == value), None)


def _list_keys(client: Any, organization_id: UUID) -> list[str]:  # noqa: ANN401
    """Return the ids of the keys that are named after the organization, of whatever generation."""
    start = gateway_key_value(organization_id, "")
    pages = client.get_paginator("get_api_keys").paginate(nameQuery=start, includeValues=False)
    return [str(item["id"]) for page in pages for item in page["items"] if item["name"].startswith(start)]


def _create_key(client: Any, value: str, plans_path: str) -> str:  # noqa: ANN401
    tags = {STACK_TAG: plans_path}
    return str(client.create_api_key(name=value, value=value, enabled=True, tags=tags)["id"])


def _join_plan(client: Any, plan_id: str, key_id: str) -> None:  # noqa: ANN401
    try:
        client.create_usage_plan_key(usagePlanId=plan_id, keyId=key_id, keyType="API_KEY")
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != ALREADY_THERE:
            raise
