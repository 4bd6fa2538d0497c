"""Keys and usage plans of API Gateway: one key per organization, in one usage plan."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.organization import gateway_key_value
from tenancy.rules.usage_plans import UsagePlan
from tenancy.stores.aws.boto import BOTO_CONFIG, load_boto, make_client

KEY_IS_IN_PLAN: Final = "ConflictException"
STACK_TAG: Final = "tenancy:usage-plans"  # its value is *plans_path*. IAM lets a stack delete only keys with its tag.


class GatewayKeys:
    """The API keys of the deployed API.

    *plans_path* is the path in the Parameter Store under which the stack stores the ids of its usage plans.
    """

    def __init__(self, region: str, plans_path: str = "") -> None:
        """Use API Gateway in *region*. Clients are made at the first use.

        Without *plans_path* no key can be put into a usage plan.
        """
        self._region = region
        self._plans_path = plans_path
        self._plan_ids: Mapping[str, str] = {}
        load_boto()

    def put_key(self, organization_id: UUID, value: str, plan: UsagePlan) -> None:
        """Create the organization's key *value* if needed, and put it into *plan*.

        Idempotent.

        Raises:
            ValueError: *value* does not contain the organization's id.
            UnavailableError: API Gateway rejected a call or is unreachable. A retry continues from the failed step.
        """
        _require_own(organization_id, value)
        try:
            client = _api_gateway(self._region)
            key_id = _find_key(client, value) or _create_key(client, value, self._plans_path)
            _join_plan(client, self._plan_id(plan), key_id)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway did not store the gateway key.") from error

    def is_in_plan(self, organization_id: UUID, value: str, plan: UsagePlan) -> bool:
        """Tell whether the organization's key *value* is in *plan*, as API Gateway knows it.

        Raises:
            ValueError: *value* does not contain the organization's id.
            UnavailableError: API Gateway rejected a call or is unreachable.
        """
        _require_own(organization_id, value)
        try:
            pages = _api_gateway(self._region).get_paginator("get_usage_plan_keys")
            found = pages.paginate(usagePlanId=self._plan_id(plan), nameQuery=value)
            return any(item["name"] == value for page in found for item in page["items"])
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway did not list the keys of a usage plan.") from error

    def delete_key(self, organization_id: UUID, value: str) -> None:
        """Delete the organization's key *value* if it exists. Idempotent.

        Raises:
            ValueError: *value* does not contain the organization's id.
            UnavailableError: API Gateway rejected a call or is unreachable.
        """
        _require_own(organization_id, value)
        try:
            client = _api_gateway(self._region)
            key_id = _find_key(client, value)
            if key_id is not None:
                client.delete_api_key(apiKey=key_id)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway did not delete the gateway key.") from error

    def delete_keys(self, organization_id: UUID) -> None:
        """Delete every key of the organization. Idempotent.

        Raises:
            UnavailableError: API Gateway rejected a call or is unreachable. Some keys may be deleted.
        """
        try:
            client = _api_gateway(self._region)
            for key_id in _list_keys(client, organization_id):
                client.delete_api_key(apiKey=key_id)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway did not delete the gateway keys.") from error

    def count_keys(self, organization_id: UUID) -> int:
        """Return the number of the organization's keys.

        Raises:
            UnavailableError: API Gateway rejected a call or is unreachable.
        """
        try:
            return len(_list_keys(_api_gateway(self._region), organization_id))
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway did not list the gateway keys.") from error

    def _plan_id(self, plan: UsagePlan) -> str:
        if plan not in self._plan_ids:
            answer = _parameters(self._region).get_parameters_by_path(Path=self._plans_path)
            self._plan_ids = {entry["Name"].rpartition("/")[2]: entry["Value"] for entry in answer["Parameters"]}
        if plan not in self._plan_ids:
            raise UnavailableError(f"The Parameter Store has no usage plan {plan.value!r}. Finish the deployment.")
        return self._plan_ids[plan]


def _require_own(organization_id: UUID, value: str) -> None:
    if str(organization_id) not in value:
        raise ValueError("The value of a gateway key must contain the id of its organization.")


@cache
def _api_gateway(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return make_client("apigateway", region, BOTO_CONFIG)


@cache
def _parameters(region: str) -> Any:  # noqa: ANN401
    return make_client("ssm", region, BOTO_CONFIG)


def _find_key(client: Any, value: str) -> str | None:  # noqa: ANN401
    """Return the id of the key whose name is *value*. API Gateway searches names by prefix."""
    found = client.get_api_keys(nameQuery=value, includeValues=False)["items"]
    return next((str(item["id"]) for item in found if item["name"] == value), None)


def _list_keys(client: Any, organization_id: UUID) -> list[str]:  # noqa: ANN401
    """Return the ids of the organization's keys of all generations."""
    prefix = gateway_key_value(organization_id, "")
    pages = client.get_paginator("get_api_keys").paginate(nameQuery=prefix, includeValues=False)
    return [str(item["id"]) for page in pages for item in page["items"] if item["name"].startswith(prefix)]


def _create_key(client: Any, value: str, plans_path: str) -> str:  # noqa: ANN401
    tags = {STACK_TAG: plans_path}
    return str(client.create_api_key(name=value, value=value, enabled=True, tags=tags)["id"])


def _join_plan(client: Any, plan_id: str, key_id: str) -> None:  # noqa: ANN401
    try:
        client.create_usage_plan_key(usagePlanId=plan_id, keyId=key_id, keyType="API_KEY")
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != KEY_IS_IN_PLAN:
            raise
