"""Log-ins by SAML over HTTP, and the connection to a SAML provider."""

import hashlib
from uuid import UUID

import pytest
from lxml import etree

from tenancy.rules.sso.refusals import SsoFault
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.functions import BASE_DOMAIN, Function, LogLines, superuser
from tests.handlers.requests import answer_of, problem_of, sample, with_headers, with_query
from tests.handlers.single_sign_on.browser import (
    REDIRECT_URI,
    as_admin,
    members_of,
    put_request,
    query_of,
    settings_of,
)
from tests.handlers.single_sign_on.provider import Provider
from tests.handlers.single_sign_on.saml_browser import SamlBrowser, SamlIdp, request_in, saml_settings
from tests.handlers.single_sign_on.test_forged_answers import fault_in
from tests.saml_provider import SIGN_IN_URL, SigningKey

UNKNOWN_ID = UUID("0193f6a2-5c1e-4b7a-9d44-000000000000")
METADATA_PATH = "/saml/metadata"
AGE = "UPDATE sso_connections SET discovered_at = discovered_at - %s::interval"


def test_person_becomes_a_member_and_is_logged_in(
    saml_browser: SamlBrowser, idp: SamlIdp, databases: Databases
) -> None:
    answer = saml_browser.log_in_at(idp)

    assert answer.status == 200, answer.body
    assert set(answer.document) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert ("ada@acme.example", "viewer", "active", False) in members_of(databases, saml_browser.provisioned)


def test_person_is_known_by_its_name_afterwards(saml_browser: SamlBrowser, idp: SamlIdp, databases: Databases) -> None:
    assert saml_browser.log_in_at(idp).status == 200
    before = members_of(databases, saml_browser.provisioned)

    assert saml_browser.log_in_at(idp, email="ada.lovelace@acme.example").status == 200

    assert members_of(databases, saml_browser.provisioned) == before


def test_start_asks_the_provider_for_this_organization(saml_browser: SamlBrowser) -> None:
    started = saml_browser.start()

    request = request_in(started.headers["location"])
    organization_id = saml_browser.provisioned.organization.id
    assert started.status == 302
    assert started.headers["location"].startswith(f"{SIGN_IN_URL}?SAMLRequest=")
    assert (request.findtext("{*}Issuer") or "").endswith(f"/v1/auth/sso/metadata?organization={organization_id}")
    assert len(query_of(started.headers["location"])["RelayState"]) <= 80
    assert "SameSite=Lax" in started.headers["set-cookie"]


def test_answer_leads_the_browser_back_with_its_cookie(saml_browser: SamlBrowser, idp: SamlIdp) -> None:
    sent = saml_browser.send(idp.answer(saml_browser.start().headers["location"]))

    finished = saml_browser.finish(sent.headers["location"])

    assert (sent.status, sent.headers["cache-control"], sent.headers["referrer-policy"]) == (
        303,
        "no-store",
        "no-referrer",
    )
    assert "set-cookie" not in sent.headers
    assert finished.headers["location"].startswith(f"{REDIRECT_URI}&code=sc_")
    assert saml_browser.cookies == {}


def test_person_waits_encrypted_and_is_deleted_at_the_end(
    saml_browser: SamlBrowser, idp: SamlIdp, databases: Databases
) -> None:
    sent = saml_browser.send(idp.answer(saml_browser.start().headers["location"]))
    waiting = rows_of(databases)

    saml_browser.finish(sent.headers["location"])

    assert "sealed_identity" in waiting
    assert "ada@acme.example" not in waiting
    assert b"ada@acme.example".hex() not in waiting  # a sealed identity is shown as hexadecimal digits
    assert '"sealed_identity": null' in rows_of(databases)


def test_folded_answer_is_taken(saml_browser: SamlBrowser, idp: SamlIdp) -> None:
    form = idp.answer(saml_browser.start().headers["location"])
    text = form["SAMLResponse"]

    folded = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))

    assert saml_browser.send({**form, "SAMLResponse": folded}).status == 303


def test_connection_shows_provider_and_service(sso: Function, saml_browser: SamlBrowser, idp: SamlIdp) -> None:
    shown = answer_of(sso(as_admin(saml_browser.provisioned, "show_connection"))).document

    [certificate] = shown["certificates"]
    assert (shown["type"], shown["entity_id"], shown["sign_in_url"]) == ("saml", idp.entity_id, SIGN_IN_URL)
    assert certificate == {"sha256": hashlib.sha256(idp.key.der).hexdigest(), "expires_at": "2021-01-01T00:00:00.000Z"}
    assert shown["metadata_url"] is None
    assert shown["acs_url"].endswith("/v1/auth/sso/acs")
    assert "callback_url" not in shown


def test_service_metadata_differs_by_organization(
    sso: Function, saml_browser: SamlBrowser, globex: Provisioned
) -> None:
    shown = answer_of(sso(as_admin(saml_browser.provisioned, "show_connection"))).document

    of_acme, of_globex, of_none = [
        answer_of(sso(with_query(sample("sso", "show_service"), organization=str(each))))
        for each in (saml_browser.provisioned.organization.id, globex.organization.id, UNKNOWN_ID)
    ]

    entity = etree.fromstring(of_acme.body.encode())
    consumer = next(entity.iterfind("{*}SPSSODescriptor/{*}AssertionConsumerService"))
    assert (of_acme.status, of_acme.headers["content-type"]) == (200, "application/samlmetadata+xml")
    assert entity.get("entityID") == shown["service_entity_id"]
    assert consumer.get("Location") == shown["acs_url"]
    assert of_none.status == 200
    assert of_none.body == of_acme.body.replace(str(saml_browser.provisioned.organization.id), str(UNKNOWN_ID))
    assert len({of_acme.body, of_globex.body, of_none.body}) == 3


def test_service_metadata_takes_an_id_in_the_header(sso: Function) -> None:
    request = with_headers(with_query(sample("sso", "show_service")), x_organization_id=str(UNKNOWN_ID))

    shown = answer_of(sso(request))

    assert shown.status == 200
    assert f"organization={UNKNOWN_ID}" in shown.body


@pytest.mark.parametrize("query", [{}, {"organization": "acme"}, {"organization": "unknown"}])
def test_service_metadata_is_of_no_name(sso: Function, acme: Provisioned, query: dict[str, str]) -> None:  # noqa: ARG001
    """Otherwise its id would tell whether the organization exists."""
    request = with_headers(with_query(sample("sso", "show_service"), **query), host=f"acme.{BASE_DOMAIN}")

    problem = problem_of(sso(request), request, 422, "invalid")

    assert [each["location"] for each in problem["errors"]] == ["query/organization"]


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"metadata_xml": None}, "body"),
        ({"metadata_url": "https://idp.localhost/metadata"}, "body"),
        ({"metadata_xml": "<html/>"}, "body/metadata_xml"),
        ({"metadata_xml": None, "metadata_url": "http://idp.localhost/metadata"}, "body/metadata_url"),
        ({"metadata_xml": None, "metadata_url": "https://internal.localhost/metadata"}, "body/metadata_url"),
        ({"client_id": "tenancy"}, "body/client_id"),
        ({"client_secret": "secret"}, "body/client_secret"),
    ],
)
def test_invalid_settings_name_their_member(
    sso: Function, idp: SamlIdp, acme: Provisioned, change: dict[str, object], location: str
) -> None:
    request = put_request(acme, saml_settings(idp, **change))

    problem = problem_of(sso(request), request, 422, "invalid")

    assert [each["location"] for each in problem["errors"]] == [location]


def test_settings_of_openid_connect_have_no_metadata(sso: Function, idp: SamlIdp, acme: Provisioned) -> None:
    request = put_request(acme, saml_settings(idp, type="oidc"))

    problem = problem_of(sso(request), request, 422, "invalid")

    assert [each["location"] for each in problem["errors"]] == [
        "body/issuer",
        "body/client_id",
        "body/metadata_xml",
    ]


def test_metadata_is_read_from_its_url(by_url: SamlBrowser, provider: Provider, idp: SamlIdp) -> None:
    shown = answer_of(by_url.sso(as_admin(by_url.provisioned, "show_connection"))).document

    assert shown["metadata_url"] == f"{provider.issuer}{METADATA_PATH}"
    assert by_url.log_in_at(idp).status == 200
    assert provider.requests.count(METADATA_PATH) == 1


def test_metadata_of_the_day_before_is_read_again(
    by_url: SamlBrowser, provider: Provider, idp: SamlIdp, databases: Databases
) -> None:
    with superuser(databases) as conn:
        conn.execute(AGE, ("1 day",))

    assert by_url.log_in_at(idp).status == 200
    assert by_url.log_in_at(idp).status == 200

    assert provider.requests.count(METADATA_PATH) == 2


def test_changed_certificate_is_picked_up(
    by_url: SamlBrowser, provider: Provider, idp: SamlIdp, databases: Databases, logged: LogLines
) -> None:
    idp.key = SigningKey.generate()
    provider.documents[METADATA_PATH] = idp.metadata.encode()
    assert by_url.log_in_at(idp).status == 401
    assert fault_in(logged()) == SsoFault.SIGNATURE
    assert provider.requests.count(METADATA_PATH) == 1
    with superuser(databases) as conn:
        conn.execute(AGE, ("6 minutes",))

    assert by_url.log_in_at(idp).status == 200

    assert provider.requests.count(METADATA_PATH) == 2


def test_metadata_of_another_provider_is_not_picked_up(
    by_url: SamlBrowser, provider: Provider, idp: SamlIdp, databases: Databases
) -> None:
    other = SamlIdp(key=SigningKey.generate(), entity_id="https://idp.globex.example/metadata")
    provider.documents[METADATA_PATH] = other.metadata.encode()
    with superuser(databases) as conn:
        conn.execute(AGE, ("1 day",))

    assert by_url.log_in_at(other).status == 401
    assert by_url.log_in_at(idp).status == 200


def test_metadata_that_cannot_be_read_stays(
    by_url: SamlBrowser, provider: Provider, idp: SamlIdp, databases: Databases
) -> None:
    del provider.documents[METADATA_PATH]
    with superuser(databases) as conn:
        conn.execute(AGE, ("1 day",))

    assert by_url.log_in_at(idp).status == 200
    assert by_url.log_in_at(idp).status == 200

    assert provider.requests.count(METADATA_PATH) == 2


def test_failed_refresh_keeps_the_certificates_of_another_one(
    by_url: SamlBrowser, provider: Provider, idp: SamlIdp, databases: Databases
) -> None:
    """The other one succeeds while the failing one reads."""
    newer = SigningKey.generate()

    def succeed_elsewhere(path: str) -> None:
        if path == METADATA_PATH:
            with superuser(databases) as conn:
                conn.execute("UPDATE sso_connections SET certificates = %s", ([newer.der],))

    del provider.documents[METADATA_PATH]
    provider.before_answer = succeed_elsewhere
    with superuser(databases) as conn:
        conn.execute(AGE, ("1 day",))

    assert by_url.log_in_at(idp).status == 200

    idp.key = newer
    assert by_url.log_in_at(idp).status == 200


def test_same_name_of_another_source_is_another_provider(
    saml_browser: SamlBrowser, idp: SamlIdp, databases: Databases, logged: LogLines
) -> None:
    """A SAML provider only asserts its entity id. Without a proven domain nothing ties its subject to the member."""
    admin = saml_browser.provisioned
    assert saml_browser.log_in_at(idp).status == 200
    with superuser(databases) as conn:
        conn.execute("DELETE FROM email_domains")
    assert answer_of(saml_browser.sso(as_admin(admin, "delete_connection"))).status == 204
    idp.key = SigningKey.generate()
    assert answer_of(saml_browser.sso(put_request(admin, saml_settings(idp)))).status == 200

    assert saml_browser.log_in_at(idp).status == 403

    assert fault_in(logged()) == SsoFault.DOMAIN_UNPROVEN


def test_subjects_stay_while_certificates_change(saml_browser: SamlBrowser, idp: SamlIdp, databases: Databases) -> None:
    assert saml_browser.log_in_at(idp).status == 200
    with superuser(databases) as conn:
        conn.execute("DELETE FROM email_domains")
    idp.key = SigningKey.generate()

    changed = answer_of(saml_browser.sso(put_request(saml_browser.provisioned, saml_settings(idp))))

    assert changed.status == 200
    assert saml_browser.log_in_at(idp).status == 200


def test_subject_of_another_protocol_is_another_person(
    saml_browser: SamlBrowser, provider: Provider, idp: SamlIdp, databases: Databases
) -> None:
    admin = saml_browser.provisioned
    idp.entity_id = provider.issuer
    assert answer_of(saml_browser.sso(put_request(admin, saml_settings(idp)))).status == 200
    assert saml_browser.log_in_at(idp, name_id=provider.person.subject).status == 200
    with superuser(databases) as conn:
        conn.execute("DELETE FROM email_domains")
    assert answer_of(saml_browser.sso(put_request(admin, settings_of(provider)))).status == 200

    assert saml_browser.log_in(provider).status == 403


@pytest.fixture
def by_url(saml_browser: SamlBrowser, provider: Provider, idp: SamlIdp) -> SamlBrowser:
    """Return a browser of acme, whose connection has the URL of the metadata."""
    provider.documents[METADATA_PATH] = idp.metadata.encode()
    settings = saml_settings(idp, metadata_xml=None, metadata_url=f"{provider.issuer}{METADATA_PATH}")
    assert answer_of(saml_browser.sso(put_request(saml_browser.provisioned, settings))).status == 200
    return saml_browser


def rows_of(databases: Databases) -> str:
    """Return all rows of log-ins as text."""
    with superuser(databases) as conn:
        return "\n".join(text for (text,) in conn.execute("SELECT to_jsonb(l)::text FROM sso_log_ins AS l"))
