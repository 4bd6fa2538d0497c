"""Answers of one organization's provider at the callback of another one (RFC 9700, 4.4)."""

from urllib.parse import urlencode, urlsplit
from uuid import UUID

import pytest

from tenancy.rules.sso.refusals import SsoFault
from tenancy.use_cases.organizations.provision import Provisioned
from tests.handlers.functions import Function, LogLines
from tests.handlers.requests import answer_of
from tests.handlers.single_sign_on.browser import SsoBrowser, put_request, query_of, settings_of
from tests.handlers.single_sign_on.provider import Provider
from tests.handlers.single_sign_on.test_forged_answers import fault_in


@pytest.fixture
def victim(sso: Function, identity: Function, globex: Provisioned, other_provider: Provider) -> SsoBrowser:
    """Return a browser that starts at globex, whose administrator and provider attack acme."""
    assert answer_of(sso(put_request(globex, settings_of(other_provider)))).status == 200
    return SsoBrowser(sso=sso, identity=identity, provisioned=globex)


def test_code_of_acme_does_not_reach_the_provider_of_globex(
    browser: SsoBrowser, victim: SsoBrowser, provider: Provider, other_provider: Provider, logged: LogLines
) -> None:
    """The attacker starts at acme. Its nonce and challenge, with the victim's state, go to acme's provider."""
    begun = query_of(browser.start().headers["location"])
    led_on = {**begun, "state": query_of(victim.start().headers["location"])["state"]}
    members = provider.authorize(f"{provider.issuer}/authorize?{urlencode(led_on)}")

    refused = victim.come_back(members, callback_of(begun))

    assert refused.status == 401
    assert fault_in(logged()) == SsoFault.OTHER_ORGANIZATION
    assert "/token" not in other_provider.requests
    assert members["code"] in provider.codes


def test_each_organization_has_a_callback_of_its_own(browser: SsoBrowser, victim: SsoBrowser) -> None:
    callbacks = [callback_of(query_of(each.start().headers["location"])) for each in (browser, victim)]

    assert callbacks == [browser.provisioned.organization.id, victim.provisioned.organization.id]


def test_state_at_another_callback_is_refused_and_stays(
    browser: SsoBrowser, provider: Provider, globex: Provisioned, logged: LogLines
) -> None:
    members = provider.authorize(browser.start().headers["location"])

    refused = browser.come_back(members, globex.organization.id)

    assert refused.status == 401
    assert fault_in(logged()) == SsoFault.OTHER_ORGANIZATION
    assert browser.come_back(members).status == 302


def callback_of(asked: dict[str, str]) -> UUID:
    """Return the organization in the redirect URI of a request to a provider."""
    return UUID(urlsplit(asked["redirect_uri"]).path.rpartition("/")[2])
