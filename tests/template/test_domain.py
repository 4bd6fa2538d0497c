"""The domain of the API: *.BaseDomain with a certificate and records, or the default endpoint without a hosted zone."""

from typing import Any

import pytest

from tenancy.gateway.http import STAGE_PREFIX
from tenancy.rules.custom_domains import TARGET_LABEL
from tenancy.rules.organization import RESERVED_SUBDOMAINS
from tenancy.stores.aws.api_domains import ENDPOINT_TYPES, IP_ADDRESS_TYPE, SECURITY_POLICY
from tests.template.template import FOLDERS, FUNCTIONS, RESOURCES, TEMPLATE, routes
from tests.template.transformed import deployed, transformed_of

ZONE = "Z0123456789ABCDEFGHIJ"
ALL_HOSTS = "*.attribution.example"
OF_DOMAIN = {
    "Certificate": "AWS::CertificateManager::Certificate",
    "Domain": "AWS::ApiGateway::DomainName",
    "DomainMapping": "AWS::ApiGateway::BasePathMapping",
    "DomainRecords": "AWS::Route53::RecordSetGroup",
}
ENDPOINT = "execute-api"


def with_domain() -> dict[str, Any]:
    return deployed(HostedZoneId=ZONE, BaseDomain="attribution.example")


def without_domain() -> dict[str, Any]:
    return deployed(BaseDomain="attribution.example")


def properties(name: str) -> dict[str, Any]:
    """Return the properties of a resource of the stack with a domain."""
    found: dict[str, Any] = with_domain()["Resources"][name]["Properties"]
    return found


def api_hosts(template: dict[str, Any]) -> dict[str, Any]:
    """Return `API_HOST` of each function that has it."""
    found = {}
    for name, resource in template["Resources"].items():
        variables = resource["Properties"].get("Environment", {}).get("Variables", {})
        if resource["Type"] == "AWS::Lambda::Function" and "API_HOST" in variables:
            found[name] = variables["API_HOST"]
    return found


def is_endpoint_off(template: dict[str, Any]) -> bool:
    """Tell whether the transformed API has no default endpoint."""
    [api] = [each for each in template["Resources"].values() if each["Type"] == "AWS::ApiGateway::RestApi"]
    [server] = api["Properties"]["Body"]["servers"]
    return bool(server["x-amazon-apigateway-endpoint-configuration"]["disableExecuteApiEndpoint"])


def test_hosted_zone_makes_the_domain() -> None:
    made = {name: with_domain()["Resources"][name]["Type"] for name in OF_DOMAIN}

    assert made == OF_DOMAIN
    assert set(with_domain()["Resources"]) - set(without_domain()["Resources"]) == set(OF_DOMAIN)


def test_certificate_is_validated_in_the_hosted_zone() -> None:
    certificate = properties("Certificate")

    assert (certificate["DomainName"], certificate["ValidationMethod"]) == (ALL_HOSTS, "DNS")
    assert certificate["DomainValidationOptions"] == [{"DomainName": ALL_HOSTS, "HostedZoneId": ZONE}]


def test_domain_has_the_certificate_and_the_tls_of_the_api() -> None:
    domain = properties("Domain")

    assert (domain["DomainName"], domain["RegionalCertificateArn"]) == (ALL_HOSTS, {"Ref": "Certificate"})
    assert domain["EndpointConfiguration"]["Types"] == [RESOURCES["Api"]["Properties"]["EndpointConfiguration"]["Type"]]
    assert domain["SecurityPolicy"] == RESOURCES["Api"]["Properties"]["SecurityPolicy"]


def test_custom_domains_have_the_tls_and_the_addresses_of_the_domain() -> None:
    domain = properties("Domain")

    assert domain["SecurityPolicy"] == SECURITY_POLICY
    assert domain["EndpointConfiguration"] == {"Types": ENDPOINT_TYPES, "IpAddressType": IP_ADDRESS_TYPE}


def test_base_path_is_that_of_the_stage() -> None:
    [stage] = transformed_of("AWS::ApiGateway::Stage").values()

    mapping = properties("DomainMapping")

    assert f"/{mapping['BasePath']}" == STAGE_PREFIX
    assert mapping["Stage"] == stage["Properties"]["StageName"]
    assert (mapping["DomainName"], mapping["RestApiId"]) == ({"Ref": "Domain"}, {"Ref": "Api"})
    assert with_domain()["Resources"]["DomainMapping"]["DependsOn"] == "Apiv1Stage"


def test_records_lead_all_hosts_to_the_domain() -> None:
    records = properties("DomainRecords")
    target = {
        "DNSName": {"Fn::GetAtt": "Domain.RegionalDomainName"},
        "HostedZoneId": {"Fn::GetAtt": "Domain.RegionalHostedZoneId"},
    }

    assert records["HostedZoneId"] == ZONE
    assert records["RecordSets"][:2] == [
        {"Name": ALL_HOSTS, "Type": kind, "AliasTarget": target} for kind in ("A", "AAAA")
    ]


def test_wildcard_covers_no_target_of_a_custom_domain() -> None:
    """The parent of the targets always exists, so a deleted target is NXDOMAIN (RFC 4592), and no organization."""
    *_, parent = properties("DomainRecords")["RecordSets"]

    assert (parent["Name"], parent["Type"]) == (f"{TARGET_LABEL}.attribution.example", "TXT")
    assert parent["ResourceRecords"] == ['"Targets of custom domains"']
    assert TARGET_LABEL in RESERVED_SUBDOMAINS


def test_default_endpoint_is_off_with_a_domain_only() -> None:
    assert (is_endpoint_off(with_domain()), is_endpoint_off(without_domain())) == (True, False)


def test_each_deploy_makes_a_deployment() -> None:
    """API Gateway switches the default endpoint off, or on, with the next deployment of the stage only."""
    assert RESOURCES["Api"]["Properties"]["AlwaysDeploy"] is True
    assert RESOURCES["Api"]["Properties"]["DisableExecuteApiEndpoint"] == {"Fn::If": ["HasDomain", True, False]}


def test_all_hosts_of_the_api_work() -> None:
    """A disabled endpoint is named nowhere. `api` below the base domain belongs to no organization."""
    hosts = api_hosts(with_domain())

    assert len(hosts) > 10
    assert set(hosts.values()) == {"api.attribution.example"}
    assert with_domain()["Outputs"]["ApiUrl"]["Value"] == {
        "Fn::Sub": ["https://${Host}/v1", {"Host": "api.attribution.example"}]
    }
    assert ENDPOINT not in str(with_domain()["Outputs"])
    assert "api" in RESERVED_SUBDOMAINS


def test_without_a_domain_the_default_endpoint_is_the_host() -> None:
    assert all(ENDPOINT in str(host) for host in api_hosts(without_domain()).values())
    assert ENDPOINT in str(without_domain()["Outputs"]["ApiUrl"])


@pytest.mark.parametrize("zone", ["", ZONE])
def test_own_api_host_overrides_the_domain(zone: str) -> None:
    template = deployed(HostedZoneId=zone, BaseDomain="attribution.example", ApiHost="sdk.acme.example")

    assert set(api_hosts(template).values()) == {"sdk.acme.example"}


@pytest.mark.parametrize("function", sorted(set(FOLDERS) & {each for each in FUNCTIONS if routes(each)}))
def test_no_route_begins_with_the_base_path(function: str) -> None:
    """Then a path that begins with the base path has it, and is never a route of its own."""
    assert [each["Path"] for each in routes(function) if f"{each['Path']}/".startswith(f"{STAGE_PREFIX}/")] == []


def test_hosted_zone_is_an_id() -> None:
    assert TEMPLATE["Parameters"]["HostedZoneId"]["Default"] == ""
