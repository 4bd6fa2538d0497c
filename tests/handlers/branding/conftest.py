"""Fixtures of brandings: the functions, a server with images, and organizations that may have a branding."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.client import BaseClient

from tenancy.rules.tiers import Tier
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import AwsAccount, Databases, provision
from tests.handlers.branding.requests import Brand
from tests.handlers.branding.sent_mails import SentMail
from tests.handlers.conftest import PROVIDER_HOST
from tests.handlers.functions import Function, Start
from tests.handlers.invocations import serving_invocations
from tests.handlers.single_sign_on.browser import prove_domain
from tests.handlers.single_sign_on.provider import Provider, SigningKey, serving_provider
from tests.stores.private_authority import Authority


@pytest.fixture
def image_server(authority: Authority) -> Iterator[Provider]:
    """A server of a tenant, which says of each image that it is JSON. `documents` are its images, by path."""
    with serving_provider(authority, PROVIDER_HOST, SigningKey.ec("key-0")) as serving:
        yield serving


@pytest.fixture
def branding(
    start: Start,
    secrets: None,  # noqa: ARG001
    aws: AwsAccount,
    image_server: Provider,
) -> Iterator[Function]:
    """Start the function `branding`, which invokes a `fetch` that reaches the test's own server."""
    fetch = start("fetch", PRIVATE_HOSTS_ALLOWED=image_server.issuer.removeprefix("https://"))
    with serving_invocations(aws.endpoint_url, fetch) as endpoint:
        yield start("branding", AWS_ENDPOINT_URL=endpoint)


@pytest.fixture
def acme(databases: Databases, targets: OutboxTargets) -> Provisioned:
    return provision(databases, targets, "acme", Tier.ENTERPRISE)


@pytest.fixture
def globex(databases: Databases, targets: OutboxTargets) -> Provisioned:
    return provision(databases, targets, "globex", Tier.ENTERPRISE)


@pytest.fixture
def brand(branding: Function, databases: Databases, acme: Provisioned) -> Brand:
    """Requests of acme, which has proven its e-mail domain."""
    prove_domain(databases, acme, "acme.example")
    return Brand(function=branding, provisioned=acme)


@pytest.fixture
def sent_mails(monkeypatch: pytest.MonkeyPatch) -> list[SentMail]:
    """List the mails that SES accepts from now on."""
    mails: list[SentMail] = []
    send = vars(BaseClient)["_make_api_call"]

    def record_call(client: BaseClient, operation: str, values: dict[str, Any]) -> object:
        answer = send(client, operation, values)
        if operation == "SendEmail":
            mails.append(SentMail.of(values))
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", record_call)
    return mails
