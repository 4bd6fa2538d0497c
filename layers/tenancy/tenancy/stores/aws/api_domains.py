"""Custom domain names of API Gateway, each with a mapping to the API."""

from functools import cache
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.custom_domains import DomainFailure, DomainOwner, ServedApi
from tenancy.stores.aws.boto import BOTO_CONFIG, load_boto, make_client
from tenancy.stores.aws.domain_refusals import LIMIT_EXCEEDED, DomainRefusedError, error_code
from tenancy.stores.aws.domain_tags import CLAIM_TAG, ORGANIZATION_TAG, domain_tags

BASE_PATH: Final = "v1"  # https://<domain>/v1/… is the stage
NOT_FOUND: Final = "NotFoundException"
CONFLICT: Final = "ConflictException"
# Other accounts of the region may have the name. The codes of throttling are missing here.
NAME_REFUSALS: Final = MappingProxyType(
    {
        "BadRequestException": DomainFailure.ATTACHMENT_REFUSED,
        CONFLICT: DomainFailure.ATTACHMENT_REFUSED,
        LIMIT_EXCEEDED: DomainFailure.NO_CAPACITY,
    }
)
AVAILABLE: Final = "AVAILABLE"
# Those of `Domain` in template.yaml.
SECURITY_POLICY: Final = "SecurityPolicy_TLS13_1_2_2021_06"
ENDPOINT_TYPES: Final = ["REGIONAL"]
IP_ADDRESS_TYPE: Final = "dualstack"


class ApiDomains:
    """The domain names of a stack. Each one belongs to one claim, by its tags."""

    def __init__(self, region: str, stack_name: str) -> None:
        """Use API Gateway in *region*. The client is made at the first use."""
        self._region = region
        self._stack_name = stack_name
        load_boto()

    def attach(self, owner: DomainOwner, api: ServedApi, *, certificate_arn: str) -> str:
        """Create the domain name with its mapping, and return the name that its DNS record leads to. Idempotent.

        Raises:
            DomainRefusedError: API Gateway does not take the domain name, or has no room for another one.
            UnavailableError: API Gateway rejected a call, is unreachable or needs more time, or the domain name belongs
                to another claim, or leads to another API. A retry continues.
        """
        try:
            client = _api_gateway(self._region)
            found = _find(client, owner.domain) or self._create_or_find(owner, api, certificate_arn)
            if found["tags"].get(CLAIM_TAG) != str(owner.claim_id):
                raise UnavailableError("API Gateway still has the domain name of another claim.")
            if found.get("domainNameStatus", AVAILABLE) != AVAILABLE:
                raise UnavailableError("API Gateway is still making a domain name.")
            _map(client, owner.domain, api)
            return str(found["regionalDomainName"])
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway did not attach a domain name.") from error

    def detach(self, owner: DomainOwner) -> None:
        """Delete the mapping, then the domain name, if they belong to the claim. Idempotent.

        Raises:
            UnavailableError: API Gateway rejected a call or is unreachable. A retry continues.
        """
        try:
            client = _api_gateway(self._region)
            found = _find(client, owner.domain)
            if found is None or found["tags"].get(CLAIM_TAG) != str(owner.claim_id):
                return
            _delete(client, owner.domain)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway did not detach a domain name.") from error

    def count_all(self, organization_id: UUID) -> int:
        """Return the number of the organization's domain names.

        Raises:
            UnavailableError: API Gateway rejected a call or is unreachable.
        """
        try:
            return len(_list_of(_api_gateway(self._region), organization_id))
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway did not list the domain names.") from error

    def delete_all(self, organization_id: UUID) -> None:
        """Delete all domain names of the organization, also of claims that do not exist any more. Idempotent.

        Raises:
            UnavailableError: API Gateway rejected a call or is unreachable. A retry continues.
        """
        try:
            client = _api_gateway(self._region)
            for domain in _list_of(client, organization_id):
                _delete(client, domain)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("API Gateway did not delete the domain names of an organization.") from error

    def _create_or_find(self, owner: DomainOwner, api: ServedApi, certificate_arn: str) -> Any:  # noqa: ANN401 - JSON
        try:
            return self._create(owner, api, certificate_arn)
        except ClientError as error:
            failure = NAME_REFUSALS.get(error_code(error))
            if failure is None:
                raise
            found = _find(_api_gateway(self._region), owner.domain)  # an earlier call may have made it
            if found is None:
                raise DomainRefusedError(failure) from error
            return found

    def _create(self, owner: DomainOwner, api: ServedApi, certificate_arn: str) -> Any:  # noqa: ANN401 - JSON
        created = _api_gateway(self._region).create_domain_name(
            domainName=owner.domain,
            regionalCertificateArn=certificate_arn,
            endpointConfiguration={"types": ENDPOINT_TYPES, "ipAddressType": IP_ADDRESS_TYPE},
            securityPolicy=SECURITY_POLICY,
            endpointAccessMode=api.access_mode,
            tags=dict(domain_tags(self._stack_name, owner)),
        )
        return {**created, "tags": domain_tags(self._stack_name, owner)}


@cache
def _api_gateway(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return make_client("apigateway", region, BOTO_CONFIG)


def _find(client: Any, domain: str) -> Any:  # noqa: ANN401
    try:
        found = client.get_domain_name(domainName=domain)
    except ClientError as error:
        if error_code(error) == NOT_FOUND:
            return None
        raise
    return {**found, "tags": found.get("tags") or {}}


def _list_of(client: Any, organization_id: UUID) -> list[str]:  # noqa: ANN401
    return [
        item["domainName"]
        for page in client.get_paginator("get_domain_names").paginate()
        for item in page["items"]
        if item.get("tags", {}).get(ORGANIZATION_TAG) == str(organization_id)
    ]


def _delete(client: Any, domain: str) -> None:  # noqa: ANN401
    _ignoring_missing(client.delete_base_path_mapping, domainName=domain, basePath=BASE_PATH)
    _ignoring_missing(client.delete_domain_name, domainName=domain)


def _map(client: Any, domain: str, api: ServedApi) -> None:  # noqa: ANN401
    try:
        client.create_base_path_mapping(domainName=domain, basePath=BASE_PATH, restApiId=api.api_id, stage=api.stage)
    except ClientError as error:
        if error_code(error) != CONFLICT:
            raise
        mapping = client.get_base_path_mapping(domainName=domain, basePath=BASE_PATH)
        if (mapping["restApiId"], mapping["stage"]) != (api.api_id, api.stage):
            raise UnavailableError("API Gateway maps the domain name to another API.") from error


def _ignoring_missing(call: Any, **names: str) -> None:  # noqa: ANN401
    try:
        call(**names)
    except ClientError as error:
        if error_code(error) != NOT_FOUND:
            raise
