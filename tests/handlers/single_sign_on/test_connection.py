"""The connection of an organization: permissions, answers, and refused issuers."""

import json
from collections.abc import Callable

import pytest

from tenancy.rules.permissions import ORGANIZATION_DELETE, PERMISSIONS, SSO_WRITE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, superuser
from tests.handlers.requests import answer_of, called_by, problem_of, sample, with_body
from tests.handlers.single_sign_on.browser import REDIRECT_URI, SsoBrowser, as_admin, put_request, settings_of
from tests.handlers.single_sign_on.provider import CLIENT_SECRET, Provider
from tests.handlers.single_sign_on.saml_browser import SamlBrowser, SamlIdp, saml_settings

DOWNGRADE = "UPDATE organizations SET tier = 'starter', updated_at = now() WHERE id = %s"
TARGETS = """
    SELECT target FROM audit_log WHERE organization_id = %s AND action IN ('sso.connected', 'sso.changed')
    ORDER BY occurred_at
"""
SECRET = "SELECT encrypted_secret FROM sso_connections WHERE organization_id = %s"
AUDITED = "SELECT action FROM audit_log WHERE organization_id = %s AND action LIKE 'sso.%%' ORDER BY occurred_at"


def test_connection_is_shown_without_its_secret(sso: Function, provider: Provider, connected: Provisioned) -> None:
    shown = answer_of(sso(as_admin(connected, "show_connection")))

    assert shown.status == 200
    assert shown.document["issuer"] == provider.issuer
    assert shown.document["redirect_uris"] == [REDIRECT_URI]
    assert shown.document["required"] is False
    assert shown.document["callback_url"].endswith(f"/v1/auth/sso/callback/{connected.organization.id}")
    assert CLIENT_SECRET not in shown.body
    assert "secret" not in shown.body


def test_secret_is_stored_encrypted(databases: Databases, connected: Provisioned) -> None:
    with superuser(databases) as conn:
        [(stored,)] = conn.execute(SECRET, (connected.organization.id,))

    assert CLIENT_SECRET.encode() not in stored


def test_secret_is_kept_for_the_same_client(browser: SsoBrowser, provider: Provider) -> None:
    body = {name: value for name, value in settings_of(provider).items() if name != "client_secret"}

    changed = answer_of(browser.sso(put_request(browser.provisioned, {**body, "default_role": "analyst"})))

    assert changed.status == 200
    assert browser.log_in(provider).status == 200


@pytest.mark.parametrize("change", [{"client_id": "another-client"}, {"issuer": "other"}])
def test_secret_is_never_sent_to_another_client(
    sso: Function, provider: Provider, other_provider: Provider, connected: Provisioned, change: dict[str, str]
) -> None:
    change = {"issuer": other_provider.issuer} if "issuer" in change else change
    body = {name: value for name, value in settings_of(provider).items() if name != "client_secret"}
    request = put_request(connected, {**body, **change})

    problem = problem_of(sso(request), request, 422, "invalid")

    assert [each["location"] for each in problem["errors"]] == ["body/client_secret"]


def test_changes_are_recorded(databases: Databases, sso: Function, provider: Provider, connected: Provisioned) -> None:
    assert answer_of(sso(put_request(connected, settings_of(provider, default_role="admin")))).status == 200
    assert answer_of(sso(as_admin(connected, "delete_connection"))).status == 204

    with superuser(databases) as conn:
        actions = [action for (action,) in conn.execute(AUDITED, (connected.organization.id,))]

    assert sorted(actions) == ["sso.changed", "sso.connected", "sso.disconnected", "sso.end_mailed"]
    request = as_admin(connected, "show_connection")
    problem_of(sso(request), request, 404, "not_found")
    request = as_admin(connected, "delete_connection")
    problem_of(sso(request), request, 404, "not_found")


def test_connection_needs_the_entitlement(
    databases: Databases, sso: Function, provider: Provider, acme: Provisioned
) -> None:
    with superuser(databases) as conn:
        conn.execute(DOWNGRADE, (acme.organization.id,))
    request = put_request(acme, settings_of(provider))

    problem = problem_of(sso(request), request, 403, "not_in_tier")

    assert (problem["tier"], problem["entitlement"]) == ("starter", "sso")


@pytest.mark.parametrize("scopes", [{SSO_WRITE}, PERMISSIONS - {ORGANIZATION_DELETE}])
@pytest.mark.parametrize("connection_type", ["oidc", "saml"])
def test_connection_needs_all_permissions_of_a_super_admin(
    sso: Function, provider: Provider, idp: SamlIdp, acme: Provisioned, scopes: set[str], connection_type: str
) -> None:
    """A provider can assert any member, also a super_admin. The default role does not matter."""
    key = tenant_of(acme, scopes=frozenset(scopes))
    body = settings_of(provider) if connection_type == "oidc" else saml_settings(idp)
    request = with_body(called_by(sample("sso", "set_connection"), key), body)

    problem = problem_of(sso(request), request, 403, "forbidden")

    assert ORGANIZATION_DELETE in problem["detail"]
    assert "decides who any member is" in problem["detail"]


@pytest.mark.parametrize("connection_type", ["oidc", "saml"])
def test_downgrade_while_the_provider_is_read_refuses_the_connection(
    databases: Databases, sso: Function, provider: Provider, idp: SamlIdp, acme: Provisioned, connection_type: str
) -> None:
    """The request was admitted before. A connection with `required` would lock the members out."""

    def downgrade(_path: str) -> None:
        with superuser(databases) as conn:
            conn.execute(DOWNGRADE, (acme.organization.id,))

    provider.before_answer = downgrade
    provider.documents["/saml"] = idp.metadata.encode()
    by_url = {"metadata_xml": None, "metadata_url": f"{provider.issuer}/saml"}
    body = settings_of(provider) if connection_type == "oidc" else saml_settings(idp, **by_url)
    request = put_request(acme, {**body, "required": True})

    problem_of(sso(request), request, 403, "not_in_tier")

    with superuser(databases) as conn:
        assert conn.execute("SELECT FROM sso_connections").fetchall() == []


def test_records_do_not_name_the_provider(
    databases: Databases, saml_browser: SamlBrowser, sso: Function, provider: Provider
) -> None:
    """The audit log outlives the erasure of the organization."""
    assert answer_of(sso(put_request(saml_browser.provisioned, settings_of(provider, required=True)))).status == 200

    with superuser(databases) as conn:
        targets = conn.execute(TARGETS, (saml_browser.provisioned.organization.id,)).fetchall()
    [of_saml, of_oidc] = [target.partition(": ")[2] for (target,) in targets]
    assert of_saml == "saml, default role viewer, passwords on"
    assert of_oidc == "oidc, default role viewer, passwords off"


INVALID_SETTINGS: list[tuple[dict[str, object], str]] = [
    ({"type": "another"}, "body/type"),
    ({"issuer": "http://idp.localhost"}, "body/issuer"),
    ({"issuer": "https://idp.localhost/?a=b"}, "body/issuer"),
    ({"issuer": "https://user@idp.localhost"}, "body/issuer"),
    ({"client_id": "with space"}, "body/client_id"),
    ({"client_secret": "line\nbreak"}, "body/client_secret"),
    ({"default_role": "owner"}, "body/default_role"),
    ({"required": "yes"}, "body/required"),
    ({"redirect_uris": []}, "body/redirect_uris"),
    ({"redirect_uris": ["http://app.acme.example/"]}, "body/redirect_uris/0"),
    ({"redirect_uris": ["https://app.acme.example/#a"]}, "body/redirect_uris/0"),
    ({"redirect_uris": ["javascript:alert(1)"]}, "body/redirect_uris/0"),
    ({"audience": "x"}, "body/audience"),
]


def test_invalid_settings_name_their_member(
    sso: Function, provider: Provider, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    for change, location in INVALID_SETTINGS:
        request = put_request(acme, settings_of(provider, **change))

        with subtests.test(str(change)):
            problem = problem_of(sso(request), request, 422, "invalid")

            assert [each["location"] for each in problem["errors"]] == [location]


def broken(**members: object) -> Callable[[Provider], None]:
    def change(provider: Provider) -> None:
        provider.metadata = members

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (broken(issuer="https://other.example"), "differs from the `issuer`"),
        (broken(token_endpoint="http://idp.localhost/token"), "token_endpoint"),
        (broken(jwks_uri=None), "jwks_uri"),
        (broken(id_token_signing_alg_values_supported=["HS256", "none"]), "neither with RS256"),
        (broken(token_endpoint_auth_methods_supported=["private_key_jwt"]), "client secret"),
        (broken(response_types_supported=["id_token"]), "response type"),
    ],
)
def test_issuer_with_other_metadata_is_refused(
    sso: Function, provider: Provider, acme: Provisioned, change: Callable[[Provider], None], text: str
) -> None:
    change(provider)
    request = put_request(acme, settings_of(provider))

    problem = problem_of(sso(request), request, 422, "invalid")

    assert [each["location"] for each in problem["errors"]] == ["body/issuer"]
    assert text in problem["errors"][0]["message"]


def test_private_issuer_is_refused(sso: Function, provider: Provider, acme: Provisioned) -> None:
    """The setting of the tests lets two hosts through. Any other private one is refused."""
    request = put_request(acme, settings_of(provider, issuer="https://internal.localhost"))

    problem = problem_of(sso(request), request, 422, "invalid")

    assert "not public" in json.dumps(problem["errors"])
