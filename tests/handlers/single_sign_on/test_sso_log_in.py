"""Log-ins by single sign-on over HTTP, with a provider over TLS."""

from datetime import UTC, datetime, timedelta

import pytest

from tenancy.stores.postgres.sso_log_ins import delete_expired_log_ins
from tenancy.use_cases.organizations.provision import Provisioned
from tests.custom_domains import activate_domain
from tests.given import Databases
from tests.handlers.functions import API_HOST, BASE_DOMAIN, Function, superuser
from tests.handlers.requests import answer_of, problem_of, sample, with_headers, with_query
from tests.handlers.single_sign_on.browser import (
    REDIRECT_URI,
    SsoBrowser,
    as_admin,
    callback_request,
    members_of,
    put_request,
    query_of,
    settings_of,
)
from tests.handlers.single_sign_on.provider import Provider, SigningKey

SIGNED_IN = "SELECT last_signed_in_at FROM users WHERE organization_id = %s AND email = %s"
AUDITED = "SELECT action FROM audit_log WHERE organization_id = %s ORDER BY occurred_at, action"


def test_person_becomes_a_member_and_is_logged_in(
    browser: SsoBrowser, provider: Provider, databases: Databases, connected: Provisioned
) -> None:
    answer = browser.log_in(provider)

    assert answer.status == 200, answer.body
    assert set(answer.document) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert ("ada@acme.example", "viewer", "active", False) in members_of(databases, connected)
    with superuser(databases) as conn:
        actions = [action for (action,) in conn.execute(AUDITED, (connected.organization.id,))]
        [(signed_in_at,)] = conn.execute(SIGNED_IN, (connected.organization.id, "ada@acme.example"))
    assert datetime.now(UTC) - signed_in_at < timedelta(minutes=5)
    assert {"sso.connected", "member.made_by_sso", "session.started_by_sso"} <= set(actions)


def test_start_asks_for_a_code_with_pkce(browser: SsoBrowser, provider: Provider) -> None:
    answer = browser.start(email="Ada@Acme.Example")

    asked = query_of(answer.headers["location"])
    assert answer.status == 302
    assert asked["redirect_uri"].endswith(f"/v1/auth/sso/callback/{browser.provisioned.organization.id}")
    assert answer.headers["location"].startswith(f"{provider.issuer}/authorize?")
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert (asked["scope"], asked["login_hint"]) == ("openid email profile", "ada@acme.example")
    assert answer.headers["cache-control"] == "no-store"


def test_cookie_is_for_this_host_only(browser: SsoBrowser) -> None:
    cookie = browser.start().headers["set-cookie"]

    name, _, attributes = cookie.partition("=")
    assert name.startswith("__Host-sso_")
    assert set(attributes.split("; ")[1:]) == {"Path=/", "Max-Age=600", "HttpOnly", "SameSite=Lax", "Secure"}


def test_address_leads_to_the_organization_of_its_domain(browser: SsoBrowser, provider: Provider) -> None:
    answer = browser.start(organization="", email="someone@acme.example")

    assert answer.headers["location"].startswith(f"{provider.issuer}/authorize?")


@pytest.mark.parametrize(
    "query",
    [
        {"organization": "unknown"},
        {"organization": "0193f6a2-5c1e-4b7a-9d44-000000000000"},
        {"organization": "globex"},
        {"organization": "", "email": "a@unknown.example"},
        {"organization": "", "email": "no address"},
    ],
)
def test_unknown_starts_have_one_refusal(browser: SsoBrowser, globex: Provisioned, query: dict[str, str]) -> None:  # noqa: ARG001
    answer = browser.start(**query)

    assert (answer.status, answer.document["code"]) == (401, "unauthenticated")
    assert answer.document["detail"].startswith("Single sign-on has failed.")
    assert "set-cookie" not in answer.headers


def test_other_redirect_uri_is_422(browser: SsoBrowser) -> None:
    answer = browser.start(redirect_uri="https://evil.example/")

    assert answer.status == 422
    assert answer.document["errors"][0]["location"] == "query/redirect_uri"


def test_start_needs_an_organization_or_an_address(browser: SsoBrowser) -> None:
    assert browser.start(organization="").status == 422


def test_start_moves_to_the_callbacks_host(sso: Function, connected: Provisioned) -> None:
    request = with_query(sample("sso", "start"), redirect_uri=REDIRECT_URI)

    answer = answer_of(sso(with_headers(request, host=f"acme.{BASE_DOMAIN}")))

    assert answer.status == 302
    assert query_of(answer.headers["location"])["organization"] == connected.organization.subdomain
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["acme", "unknown"])
def test_start_on_a_host_tells_no_id(sso: Function, connected: Provisioned, name: str) -> None:
    request = with_query(sample("sso", "start"), redirect_uri=REDIRECT_URI)

    answer = answer_of(sso(with_headers(request, host=f"{name}.{BASE_DOMAIN}")))

    assert answer.status == 302
    assert query_of(answer.headers["location"]) == {"organization": name, "redirect_uri": REDIRECT_URI}
    assert str(connected.organization.id) not in answer.headers["location"]


@pytest.mark.parametrize("organization", [None, "acme"])
def test_start_on_a_custom_domain_moves_to_the_callbacks_host(
    sso: Function, browser: SsoBrowser, databases: Databases, organization: str | None
) -> None:
    own = browser.provisioned.organization
    host = activate_domain(databases, own.id, "login.acme.example")
    names = {"organization": organization} if organization else {}
    request = with_query(sample("sso", "start"), redirect_uri=REDIRECT_URI, **names)

    moved = answer_of(sso(with_headers(request, host=host)))

    assert moved.headers["location"].startswith(f"http://{API_HOST}/v1/auth/sso/start?")
    assert query_of(moved.headers["location"]) == {"organization": str(own.id), "redirect_uri": REDIRECT_URI}
    assert "set-cookie" not in moved.headers
    assert browser.start(**query_of(moved.headers["location"])).status == 302


@pytest.mark.usefixtures("connected")
def test_start_at_the_domain_of_another_organization_is_401(
    sso: Function, databases: Databases, globex: Provisioned
) -> None:
    host = activate_domain(databases, globex.organization.id, "login.globex.example")
    sent = sample("sso", "start")

    for names in ({}, {"organization": "acme"}, {"email": "someone@acme.example"}):
        for other in (host, "unknown.example") if "organization" not in names else (host,):
            request = with_headers(with_query(sent, redirect_uri=REDIRECT_URI, **names), host=other)
            problem_of(sso(request), request, 401, "unauthenticated")


def test_redirect_uri_may_be_at_a_custom_domain(
    sso: Function, browser: SsoBrowser, provider: Provider, databases: Databases
) -> None:
    """The connection lists it, as any other URL: no host is accepted by itself, not even the own subdomain."""
    host = activate_domain(databases, browser.provisioned.organization.id, "login.acme.example")
    own = f"https://{host}/signed-in"
    assert browser.start(redirect_uri=own).status == 422

    settings = settings_of(provider, redirect_uris=[own])
    assert answer_of(sso(put_request(browser.provisioned, settings))).status == 200

    assert browser.start(redirect_uri=own).status == 302


def test_redirect_uri_at_a_lost_domain_is_422(
    sso: Function, browser: SsoBrowser, provider: Provider, databases: Databases, globex: Provisioned
) -> None:
    """The new owner of a domain sends members of acme to the log-in, and would get their codes."""
    own, lost = browser.provisioned.organization.id, "https://LOGIN.acme.example./signed-in"
    settings = settings_of(provider, redirect_uris=[lost, REDIRECT_URI])
    assert answer_of(sso(put_request(browser.provisioned, settings))).status == 200
    host = activate_domain(databases, own, "login.acme.example")
    served = browser.start(redirect_uri=lost)

    with superuser(databases) as conn:
        conn.execute("UPDATE custom_domains SET status = 'removing'")
        removing = browser.start(redirect_uri=lost)
        conn.execute("UPDATE custom_domains SET status = 'unverified', verified_at = NULL, withdrawn_at = now()")
        withdrawn = browser.start(redirect_uri=lost)
        conn.execute("DELETE FROM custom_domains")
    activate_domain(databases, globex.organization.id, host)
    taken = browser.start(redirect_uri=lost)

    assert served.status == 302
    for answer in (removing, withdrawn, taken):
        [error] = answer.document["errors"]
        assert (answer.status, error["location"], error["code"]) == (422, "query/redirect_uri", "domain_lost")
        assert "set-cookie" not in answer.headers
    assert browser.start().status == 302


def test_redirect_uri_at_a_domain_that_is_being_set_up_works(
    sso: Function, browser: SsoBrowser, provider: Provider, databases: Databases, globex: Provisioned
) -> None:
    """A claim alone, own or of another organization, changes nothing."""
    page = "https://login.acme.example/signed-in"
    assert answer_of(sso(put_request(browser.provisioned, settings_of(provider, redirect_uris=[page])))).status == 200
    for each in (browser.provisioned, globex):
        activate_domain(databases, each.organization.id, f"{each.organization.subdomain}.example")
    with superuser(databases) as conn:
        conn.execute(
            "UPDATE custom_domains SET domain = 'login.acme.example', status = 'unverified', verified_at = NULL"
        )

    assert browser.start(redirect_uri=page).status == 302


def test_start_on_a_host_keeps_all_names(sso: Function, browser: SsoBrowser, globex: Provisioned) -> None:
    """The start at the API's host compares the names."""
    request = with_query(sample("sso", "start"), redirect_uri=REDIRECT_URI, organization=str(globex.organization.id))

    moved = answer_of(sso(with_headers(request, host=f"acme.{BASE_DOMAIN}")))

    names = query_of(moved.headers["location"])
    assert (names["organization"], names["organization_id"]) == ("acme", str(globex.organization.id))
    assert browser.start(**names).status == 401
    assert browser.start(**{**names, "organization_id": str(browser.provisioned.organization.id)}).status == 302


def test_start_on_a_host_of_another_organization_is_401(sso: Function) -> None:
    request = with_query(sample("sso", "start"), redirect_uri=REDIRECT_URI, organization="globex")
    request = with_headers(request, host=f"acme.{BASE_DOMAIN}")

    problem_of(sso(request), request, 401, "unauthenticated")


def test_log_in_goes_back_with_its_query(browser: SsoBrowser, provider: Provider) -> None:
    finished = browser.come_back(provider.authorize(browser.start().headers["location"]))

    assert finished.headers["location"].startswith(f"{REDIRECT_URI}&code=sc_")
    assert browser.cookies == {}


def test_error_of_the_provider_leads_back(browser: SsoBrowser, provider: Provider) -> None:
    members = provider.authorize(browser.start().headers["location"])

    finished = browser.come_back({"state": members["state"], "error": "access_denied", "error_description": "<no>"})

    assert finished.status == 302
    assert query_of(finished.headers["location"]) == {"from": "sso", "error": "access_denied"}


def test_two_tabs_log_in_side_by_side(browser: SsoBrowser, provider: Provider) -> None:
    first = provider.authorize(browser.start().headers["location"])
    second = provider.authorize(browser.start().headers["location"])

    assert browser.come_back(second).status == 302
    assert browser.come_back(first).status == 302


def test_rotated_keys_are_read_again(browser: SsoBrowser, provider: Provider) -> None:
    assert browser.log_in(provider).status == 200
    provider.key = SigningKey.ec("key-2")
    for cached in browser.sso.app.providers._cached.values():
        cached.read_at = cached.read_at.replace(year=cached.read_at.year - 1)

    assert browser.log_in(provider).status == 200


def test_keys_are_cached_and_reads_for_unknown_keys_bounded(browser: SsoBrowser, provider: Provider) -> None:
    for _ in range(3):
        assert browser.log_in(provider).status == 200
    provider.key = SigningKey.ec("key-3")
    for _ in range(3):
        assert browser.log_in(provider).status == 401

    assert provider.requests.count("/jwks") == 1


def test_secret_goes_into_the_form_on_demand(browser: SsoBrowser, provider: Provider, connected: Provisioned) -> None:
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert answer_of(browser.sso(put_request(connected, settings_of(provider)))).status == 200

    assert browser.log_in(provider).status == 200


def test_provider_that_names_its_issuer_must_name_it(
    browser: SsoBrowser, provider: Provider, connected: Provisioned
) -> None:
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    assert answer_of(browser.sso(put_request(connected, settings_of(provider)))).status == 200
    members = provider.authorize(browser.start().headers["location"])

    assert browser.come_back(members).status == 401
    members = provider.authorize(browser.start().headers["location"])
    assert browser.come_back({**members, "iss": provider.issuer}).status == 302


def test_replaced_connection_cancels_log_ins_that_have_begun(
    browser: SsoBrowser, provider: Provider, other_provider: Provider, connected: Provisioned
) -> None:
    members = provider.authorize(browser.start().headers["location"])
    assert answer_of(browser.sso(put_request(connected, settings_of(other_provider)))).status == 200

    assert browser.come_back(members).status == 401


def test_deleted_connection_ends_codes(browser: SsoBrowser, provider: Provider, connected: Provisioned) -> None:
    finished = browser.come_back(provider.authorize(browser.start().headers["location"]))
    assert answer_of(browser.sso(as_admin(connected, "delete_connection"))).status == 204

    assert browser.exchange(query_of(finished.headers["location"])["code"]).status == 401


def test_callback_of_another_organization_is_refused(
    browser: SsoBrowser,
    provider: Provider,
    globex: Provisioned,  # noqa: ARG001
) -> None:
    members = provider.authorize(browser.start().headers["location"])
    request = with_query(callback_request(browser.provisioned.organization.id), **members)
    request = with_headers(request, host=f"globex.{BASE_DOMAIN}")

    problem_of(browser.sso(request), request, 401, "unauthenticated")


def test_late_answer_is_not_deleted_while_it_is_verified(
    browser: SsoBrowser, provider: Provider, databases: Databases
) -> None:
    """Another start deletes expired log-ins while the provider still answers."""
    organization_id = browser.provisioned.organization.id
    members = provider.authorize(browser.start().headers["location"])

    def delete_expired(found: dict[str, object]) -> dict[str, object]:
        with superuser(databases) as conn:
            delete_expired_log_ins(conn, organization_id, before=datetime.now(UTC) + timedelta(seconds=10))
        return found

    provider.change_claims = delete_expired
    with superuser(databases) as conn:
        conn.execute("UPDATE sso_log_ins SET expires_at = now() + interval '5 seconds'")

    finished = browser.come_back(members)

    assert finished.status == 302, finished.body
    assert browser.exchange(query_of(finished.headers["location"])["code"]).status == 200
