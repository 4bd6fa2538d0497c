"""Fixtures of single sign-on: functions that call each other, and providers over TLS."""

from collections.abc import Iterator

import pytest

from tenancy.rules.tiers import Tier
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import AwsAccount, Databases, provision
from tests.handlers.conftest import PROVIDER_HOST
from tests.handlers.functions import Function, Start
from tests.handlers.invocations import serving_invocations
from tests.handlers.requests import answer_of
from tests.handlers.single_sign_on.browser import SsoBrowser, prove_domain, put_request, settings_of
from tests.handlers.single_sign_on.provider import Provider, SigningKey, serving_provider
from tests.handlers.single_sign_on.saml_browser import SamlBrowser, SamlIdp, saml_settings
from tests.saml_provider import SigningKey as SamlKey
from tests.stores.private_authority import Authority

FETCH = "fetch"


@pytest.fixture(scope="module")
def signing_key() -> SigningKey:
    return SigningKey.rsa("key-1")


@pytest.fixture
def provider(authority: Authority, signing_key: SigningKey) -> Iterator[Provider]:
    with serving_provider(authority, PROVIDER_HOST, signing_key) as serving:
        yield serving


@pytest.fixture(scope="module")
def other_signing_key() -> SigningKey:
    return SigningKey.rsa("key-1")


@pytest.fixture
def other_provider(authority: Authority, other_signing_key: SigningKey) -> Iterator[Provider]:
    with serving_provider(authority, PROVIDER_HOST, other_signing_key) as serving:
        yield serving


@pytest.fixture
def reachable(provider: Provider, other_provider: Provider) -> list[str]:
    """Return the issuers that `fetch` reaches, though they are private."""
    return [provider.issuer, other_provider.issuer]


@pytest.fixture
def sso(
    start: Start,
    secrets: None,  # noqa: ARG001
    aws: AwsAccount,
    reachable: list[str],
) -> Iterator[Function]:
    """Start the function `sso`, which invokes a `fetch` that reaches the test's own providers."""
    allowed = ",".join(issuer.removeprefix("https://") for issuer in reachable)
    fetch = start(FETCH, PRIVATE_HOSTS_ALLOWED=allowed)
    with serving_invocations(aws.endpoint_url, fetch) as endpoint:
        yield start("sso", AWS_ENDPOINT_URL=endpoint)


@pytest.fixture
def identity(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("identity")


@pytest.fixture
def acme(databases: Databases, targets: OutboxTargets) -> Provisioned:
    return provision(databases, targets, "acme", Tier.GROWTH)


@pytest.fixture
def connected(sso: Function, databases: Databases, provider: Provider, acme: Provisioned) -> Provisioned:
    """Return acme with a connection to the provider and with its domain proven."""
    prove_domain(databases, acme, "acme.example")
    assert answer_of(sso(put_request(acme, settings_of(provider)))).status == 200
    return acme


@pytest.fixture
def browser(sso: Function, identity: Function, connected: Provisioned) -> SsoBrowser:
    return SsoBrowser(sso=sso, identity=identity, provisioned=connected)


@pytest.fixture(scope="module")
def saml_key() -> SamlKey:
    return SamlKey.generate()


@pytest.fixture
def idp(saml_key: SamlKey) -> SamlIdp:
    return SamlIdp(key=saml_key)


@pytest.fixture
def globex(databases: Databases, targets: OutboxTargets) -> Provisioned:
    return provision(databases, targets, "globex", Tier.ENTERPRISE)


@pytest.fixture
def saml_browser(
    sso: Function, identity: Function, databases: Databases, idp: SamlIdp, acme: Provisioned
) -> SamlBrowser:
    """Return a browser of acme, which has a connection to the SAML provider and a proven domain."""
    prove_domain(databases, acme, "acme.example")
    assert answer_of(sso(put_request(acme, saml_settings(idp)))).status == 200
    return SamlBrowser(sso=sso, identity=identity, provisioned=acme)
