"""Log-ins by single sign-on over HTTP, with a provider over TLS."""

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.single_sign_on.provider import Provider
from tests.handlers.single_sign_on.browser import SsoBrowser, members_of


def test_person_becomes_a_member_and_is_logged_in(
    browser: SsoBrowser, provider: Provider, databases: Databases, connected: Provisioned
) -> None:
    answer = browser.log_in(provider)

    assert answer.status == 200, answer.body
    assert set(answer.document) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert ("ada@acme.example", "viewer", "active", False) in members_of(databases, connected)
