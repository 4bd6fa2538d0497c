"""Fixtures of custom domains: their functions, a DNS server, and AWS with states that a test sets."""

from collections.abc import Iterator

import pytest

from tenancy.stores.aws import api_domains, certificates, gateway_keys, objects, target_records
from tenancy.stores.aws.mail_client import ses_client
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.clock import StoppedClock
from tests.handlers.custom_domains.aws_of_domains import AwsOfDomains, serving_aws_of_domains
from tests.handlers.custom_domains.life import Life
from tests.handlers.functions import Start, superuser
from tests.name_server import NameServer

OVERRIDE = "UPDATE organizations SET overrides = '{\"white_label\": true}'"
CACHED_CLIENTS = (
    api_domains._api_gateway,
    certificates._acm,
    gateway_keys._api_gateway,
    gateway_keys._parameters,
    objects._client,
    ses_client,
    target_records._route53,
)


@pytest.fixture
def domain_aws(invocations_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsOfDomains]:
    with serving_aws_of_domains(invocations_url) as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)  # boto3 reads it at the first call
        for client in CACHED_CLIENTS:
            client.cache_clear()
        yield served
    for client in CACHED_CLIENTS:
        client.cache_clear()


@pytest.fixture
def life(
    start: Start,
    secrets: None,  # noqa: ARG001
    databases: Databases,
    acme: Provisioned,  # noqa: ARG001
    globex: Provisioned,  # noqa: ARG001
    names: NameServer,
    domain_aws: AwsOfDomains,
    clock: StoppedClock,
) -> Life:
    """Both organizations have white label by an override."""
    with superuser(databases) as conn:
        conn.execute(OVERRIDE)
    routes = start("domains", AWS_ENDPOINT_URL=domain_aws.url)
    steps = start("domain_steps", AWS_ENDPOINT_URL=domain_aws.url, API_ID="a1b2c3d4e5", HOSTED_ZONE_ID="Z0123456789")
    clock.stop(routes, steps)
    return Life(databases=databases, routes=routes, steps=steps, names=names, aws=domain_aws, clock=clock)
