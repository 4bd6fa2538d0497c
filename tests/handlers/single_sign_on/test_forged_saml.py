"""Forged answers by SAML that need the database: each is one change of a way that the same test sees accepted.

The changes of the answer itself are in tests/unit/test_saml_answer.py.
"""

from base64 import b64encode
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.saml.answer import MAX_SAML_ANSWER_BYTES
from tenancy.rules.saml.relay_state import relay_state_of
from tenancy.rules.sso.refusals import SsoFault
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.functions import Function, LogLines, superuser
from tests.handlers.requests import answer_of, sample, with_body, with_headers
from tests.handlers.single_sign_on.browser import SsoBrowser, as_admin, prove_domain, put_request, query_of, settings_of
from tests.handlers.single_sign_on.provider import Provider
from tests.handlers.single_sign_on.saml_browser import Form, SamlBrowser, SamlIdp, form_of, request_in, saml_settings
from tests.handlers.single_sign_on.test_forged_answers import FORBIDDEN, UNAUTHENTICATED, answered, fault_in
from tests.saml_provider import SigningKey

DOWNGRADE = "UPDATE organizations SET tier = 'starter', updated_at = now() WHERE id = %s"


@pytest.fixture
def at_globex(
    sso: Function, identity: Function, databases: Databases, idp: SamlIdp, globex: Provisioned
) -> SamlBrowser:
    """Return a browser of globex, which has a connection to the same provider as acme."""
    prove_domain(databases, globex, "globex.example")
    assert answer_of(sso(put_request(globex, saml_settings(idp)))).status == 200
    return SamlBrowser(sso=sso, identity=identity, provisioned=globex)


def test_answer_is_taken_once(saml_browser: SamlBrowser, idp: SamlIdp, logged: LogLines) -> None:
    form = idp.answer(saml_browser.start().headers["location"])
    assert saml_browser.send(form).status == 303

    refused = saml_browser.send(form)

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.STATE_USED


def test_forged_answer_uses_up_its_state(saml_browser: SamlBrowser, idp: SamlIdp, logged: LogLines) -> None:
    form = idp.answer(saml_browser.start().headers["location"])
    assert answered(saml_browser.send({**form, "SAMLResponse": b64encode(b"<x/>").decode()})) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.ANSWER_MALFORMED

    refused = saml_browser.send(form)

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.STATE_USED


def test_assertion_is_replayed_in_no_other_log_in(saml_browser: SamlBrowser, idp: SamlIdp, logged: LogLines) -> None:
    assert saml_browser.log_in_at(idp, assertion_id="_same").status == 200

    refused = saml_browser.log_in_at(idp, assertion_id="_same")

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.ASSERTION_USED
    assert saml_browser.log_in_at(idp, assertion_id="_other").status == 200


def test_two_organizations_accept_equal_assertion_ids(
    saml_browser: SamlBrowser, at_globex: SamlBrowser, idp: SamlIdp
) -> None:
    assert saml_browser.log_in_at(idp, assertion_id="_same").status == 200

    assert at_globex.log_in_at(idp, assertion_id="_same", email="eva@globex.example").status == 200


def test_request_of_another_session_is_refused(saml_browser: SamlBrowser, idp: SamlIdp, logged: LogLines) -> None:
    location, other = saml_browser.start().headers["location"], saml_browser.start().headers["location"]
    request_id = request_in(other).get("ID")

    refused = saml_browser.send(idp.answer(location, request_id=request_id))

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.OTHER_REQUEST
    assert saml_browser.send(idp.answer(other)).status == 303


def test_request_of_another_organization_is_refused(
    saml_browser: SamlBrowser, at_globex: SamlBrowser, idp: SamlIdp, logged: LogLines
) -> None:
    of_acme, of_globex = saml_browser.start().headers["location"], at_globex.start().headers["location"]

    refused = saml_browser.send(form_of(idp.signed(of_acme), query_of(of_globex)["RelayState"]))

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.OTHER_REQUEST
    assert saml_browser.send(idp.answer(of_acme)).status == 303


def test_assertion_for_another_organization_is_refused(
    saml_browser: SamlBrowser, at_globex: SamlBrowser, idp: SamlIdp, logged: LogLines
) -> None:
    """The provider of both names acme as the audience. Only that differs from an answer that is accepted."""
    of_acme = saml_browser.start().headers["location"]
    audience = request_in(of_acme).findtext("{*}Issuer")
    assert at_globex.log_in_at(idp, email="eva@globex.example").status == 200

    refused = at_globex.log_in_at(idp, email="eva@globex.example", audience=audience)

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.AUDIENCE


def test_provider_of_another_organization_is_refused(
    saml_browser: SamlBrowser, at_globex: SamlBrowser, idp: SamlIdp, logged: LogLines
) -> None:
    """Both claim one name. The key of globex signs nothing for acme."""
    of_globex = SamlIdp(key=SigningKey.generate(), entity_id=idp.entity_id)
    settings = put_request(at_globex.provisioned, saml_settings(of_globex))
    assert answer_of(at_globex.sso(settings)).status == 200
    assert at_globex.log_in_at(of_globex, email="eva@globex.example").status == 200

    refused = saml_browser.log_in_at(of_globex)

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.SIGNATURE
    assert saml_browser.log_in_at(idp).status == 200


def test_token_needs_the_cookie_of_its_browser(saml_browser: SamlBrowser, idp: SamlIdp, logged: LogLines) -> None:
    location = saml_browser.send(idp.answer(saml_browser.start().headers["location"])).headers["location"]
    cookies = dict(saml_browser.cookies)

    saml_browser.cookies = {}
    assert answered(saml_browser.finish(location)) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.COOKIE_MISSING
    saml_browser.cookies = dict.fromkeys(cookies, "x" * 43)
    assert answered(saml_browser.finish(location)) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.OTHER_BROWSER

    saml_browser.cookies = cookies
    assert saml_browser.finish(location).status == 302


def test_token_is_used_once(saml_browser: SamlBrowser, idp: SamlIdp, logged: LogLines) -> None:
    location = saml_browser.send(idp.answer(saml_browser.start().headers["location"])).headers["location"]
    cookies = dict(saml_browser.cookies)
    assert saml_browser.finish(location).status == 302

    saml_browser.cookies = cookies

    assert answered(saml_browser.finish(location)) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.STATE_USED


def test_token_of_an_expired_log_in_is_refused(
    saml_browser: SamlBrowser, idp: SamlIdp, databases: Databases, logged: LogLines
) -> None:
    location = saml_browser.send(idp.answer(saml_browser.start().headers["location"])).headers["location"]
    with superuser(databases) as conn:
        conn.execute("UPDATE sso_log_ins SET expires_at = now()")

    assert answered(saml_browser.finish(location)) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.STATE_EXPIRED


@pytest.mark.parametrize(("token", "fault"), [("", SsoFault.STATE_MISSING), ("x", SsoFault.STATE_MALFORMED)])
def test_unissued_token_is_refused(saml_browser: SamlBrowser, logged: LogLines, token: str, fault: SsoFault) -> None:
    refused = saml_browser.finish(f"https://api.example/?token={token}" if token else "https://api.example/?a=b")

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == fault


def test_unknown_token_is_refused(saml_browser: SamlBrowser, logged: LogLines) -> None:
    token = generate_token(TokenType.SSO_FINISH, saml_browser.provisioned.organization.id).text

    assert answered(saml_browser.finish(f"https://api.example/?token={token}")) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.STATE_UNKNOWN


@pytest.mark.parametrize("changed", ["certificate", "provider", "deleted", "downgraded"])
@pytest.mark.parametrize("place", ["before the answer", "before the browser"])
def test_change_of_the_connection_ends_log_ins(
    saml_browser: SamlBrowser, idp: SamlIdp, databases: Databases, changed: str, place: str
) -> None:
    form = idp.answer(saml_browser.start().headers["location"])
    if place == "before the answer":
        change_connection(saml_browser, databases, idp, changed)
        assert answered(saml_browser.send(form)) == UNAUTHENTICATED
        return
    location = saml_browser.send(form).headers["location"]

    change_connection(saml_browser, databases, idp, changed)

    assert answered(saml_browser.finish(location)) == UNAUTHENTICATED


def test_changed_connection_is_refused_before_the_token_is_used(
    saml_browser: SamlBrowser, idp: SamlIdp, databases: Databases, logged: LogLines
) -> None:
    location = saml_browser.send(idp.answer(saml_browser.start().headers["location"])).headers["location"]
    change_connection(saml_browser, databases, idp, "certificate")

    assert answered(saml_browser.finish(location)) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.OTHER_CONNECTION


def change_connection(saml_browser: SamlBrowser, databases: Databases, idp: SamlIdp, changed: str) -> None:
    acme, sso = saml_browser.provisioned, saml_browser.sso
    if changed == "deleted":
        assert answer_of(sso(as_admin(acme, "delete_connection"))).status == 204
    elif changed == "downgraded":
        with superuser(databases) as conn:
            conn.execute(DOWNGRADE, (acme.organization.id,))
    else:
        other = SamlIdp(key=SigningKey.generate() if changed == "certificate" else idp.key)
        other.entity_id = idp.entity_id if changed == "certificate" else "https://other.example"
        assert answer_of(sso(put_request(acme, saml_settings(other)))).status == 200


def test_change_of_other_settings_ends_no_log_in(saml_browser: SamlBrowser, idp: SamlIdp) -> None:
    form = idp.answer(saml_browser.start().headers["location"])
    request = put_request(saml_browser.provisioned, saml_settings(idp, default_role="analyst"))
    assert answer_of(saml_browser.sso(request)).status == 200

    location = saml_browser.send(form).headers["location"]

    assert saml_browser.finish(location).status == 302


def test_protocols_are_not_mixed(
    saml_browser: SamlBrowser, identity: Function, provider: Provider, logged: LogLines
) -> None:
    """A state of SAML at the callback, and one of OpenID Connect at the route for answers."""
    acme, sso = saml_browser.provisioned, saml_browser.sso
    relay_state = query_of(saml_browser.start().headers["location"])["RelayState"]
    assert answered(saml_browser.come_back({"state": relay_state, "code": "x"})) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.STATE_MALFORMED
    assert answer_of(sso(put_request(acme, settings_of(provider)))).status == 200
    of_oidc = SsoBrowser(sso=sso, identity=identity, provisioned=acme)
    members = provider.authorize(of_oidc.start().headers["location"])

    refused = saml_browser.send(form_of(b"<x/>", relay_state_of_text(members["state"])))

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.OTHER_CONNECTION
    assert of_oidc.come_back(members).status == 302


def relay_state_of_text(text: str) -> str:
    return relay_state_of(OpaqueToken(text))


def without(form: Form, name: str) -> bytes:
    return urlencode({other: value for other, value in form.items() if other != name}).encode()


def test_form_that_is_no_answer_is_refused(saml_browser: SamlBrowser, idp: SamlIdp, logged: LogLines) -> None:
    unknown = relay_state_of(generate_token(TokenType.SSO_STATE, saml_browser.provisioned.organization.id))
    forged: dict[SsoFault, Callable[[Form], Form | bytes]] = {
        SsoFault.STATE_MISSING: lambda form: without(form, "RelayState"),
        SsoFault.ANSWER_MISSING: lambda form: without(form, "SAMLResponse"),
        SsoFault.REPEATED_PARAMETER: lambda form: urlencode([*form.items(), *form.items()]).encode(),
        SsoFault.STATE_MALFORMED: lambda form: {**form, "RelayState": form["RelayState"][:-1]},
        SsoFault.STATE_UNKNOWN: lambda form: {**form, "RelayState": unknown},
        SsoFault.ANSWER_MALFORMED: lambda form: {**form, "SAMLResponse": "no base64!"},
        SsoFault.ANSWER_TOO_LARGE: lambda form: {**form, "SAMLResponse": "A" * (MAX_SAML_ANSWER_BYTES * 4 // 3 + 100)},
    }
    for fault, forge in forged.items():
        form = idp.answer(saml_browser.start().headers["location"])

        refused = saml_browser.send(forge(form))

        assert answered(refused) == UNAUTHENTICATED
        assert fault_in(logged()) == fault
    assert saml_browser.log_in_at(idp).status == 200


def test_body_too_large_or_no_form_is_refused_unparsed(saml_browser: SamlBrowser) -> None:
    too_large = saml_browser.send(b"RelayState=" + b"x" * 300_000)
    no_text = saml_browser.send(b"RelayState=%ff")
    many = saml_browser.send(b"&".join([b"a=b"] * 30))

    assert [too_large.status, no_text.status, many.status] == [413, 400, 400]


def test_unproven_domain_is_forbidden(saml_browser: SamlBrowser, idp: SamlIdp, logged: LogLines) -> None:
    refused = saml_browser.log_in_at(idp, email="ada@globex.example")

    assert answered(refused) == FORBIDDEN
    assert fault_in(logged()) == SsoFault.DOMAIN_UNPROVEN
    assert saml_browser.log_in_at(idp).status == 200


def test_host_of_another_organization_is_refused(
    saml_browser: SamlBrowser, at_globex: SamlBrowser, idp: SamlIdp, logged: LogLines
) -> None:
    form = idp.answer(saml_browser.start().headers["location"])
    other_id = str(at_globex.provisioned.organization.id)
    request = with_headers(sample("sso", "take_answer"), x_organization_id=other_id)

    refused = answer_of(saml_browser.sso(with_body(request, urlencode(form).encode())))

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.OTHER_ORGANIZATION
    assert saml_browser.send(form).status == 303
