"""The session cookie: of one host, for requests of the API's own origin."""

import pytest

from tenancy.gateway.http import ALLOWED_HEADERS
from tenancy.gateway.session_cookie import HOST_COOKIE, LOCAL_COOKIE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.handlers.functions import BASE_DOMAIN, Function, Start
from tests.handlers.logged_in import (
    CONSOLE,
    HOST,
    Browser,
    log_in_request,
    post,
    tokens_in,
    without_body,
)
from tests.handlers.requests import Event, answer_of, problem_of, sample, with_header_values, with_headers

REFRESH, LOG_OUT = (without_body(sample("identity", case)) for case in ("refresh", "log_out"))
OTHER_ORIGINS = [
    None,
    "",
    "null",
    "https://evil.example",
    f"https://evil.{BASE_DOMAIN}",
    f"https://{BASE_DOMAIN}",
    f"http://{HOST}",
    f"https://{HOST}:8443",
    f"https://{HOST}/",
    f"https://{HOST}.evil.example",
    f"https://evil.example/https://{HOST}",
]


@pytest.fixture
def identity(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("identity")


@pytest.fixture
def browser(identity: Function, acme: Provisioned) -> Browser:
    """A browser whose member has logged in."""
    opened = Browser(identity=identity, cookies={})
    assert opened.send(log_in_request(acme)).status == 200
    return opened


def test_token_is_only_in_the_cookie(identity: Function, acme: Provisioned) -> None:
    answer = answer_of(identity(log_in_request(acme, **CONSOLE)))

    name, _, rest = answer.headers["set-cookie"].partition("=")
    value, *attributes = rest.split("; ")
    assert name == HOST_COOKIE == "__Host-refresh_token"
    assert set(attributes) == {"Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Strict", "Secure"}
    assert "refresh_token" not in answer.document
    assert value not in answer.body


def test_cookie_is_replaced_by_each_refresh(browser: Browser) -> None:
    first = browser.token

    answer = browser.send(REFRESH)

    assert answer.status == 200
    assert "refresh_token" not in answer.document
    assert browser.token != first
    assert browser.send(REFRESH).status == 200


def test_refused_refresh_removes_the_cookie(browser: Browser) -> None:
    token = browser.token
    assert answer_of(browser.identity(post("log_out", {"refresh_token": token}))).status == 204

    answer = browser.send(REFRESH)

    assert answer.status == 401
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert browser.token == ""


def test_refused_refresh_without_the_console_sets_no_cookie(identity: Function) -> None:
    answer = answer_of(identity(post("refresh", {"refresh_token": "rt_"})))

    assert answer.status == 401
    assert "set-cookie" not in answer.headers


def test_log_out_removes_the_cookie(browser: Browser) -> None:
    token = browser.token

    answer = browser.send(LOG_OUT)

    assert answer.status == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert browser.token == ""
    request = post("refresh", {"refresh_token": token})
    problem_of(browser.identity(request), request, 401, "unauthenticated")


@pytest.mark.parametrize("request_of_console", [REFRESH, LOG_OUT], ids=["refresh", "log_out"])
def test_another_origin_is_refused(browser: Browser, subtests: pytest.Subtests, request_of_console: Event) -> None:
    for origin in OTHER_ORIGINS:
        headers = CONSOLE | {"origin": origin, "cookie": f"{HOST_COOKIE}={browser.token}"}
        request = with_headers(request_of_console, **headers)

        with subtests.test(str(origin)):
            problem_of(browser.identity(request), request, 403, "forbidden")
            assert browser.send(REFRESH).status == 200


def test_repeated_origin_is_refused(browser: Browser) -> None:
    request = with_headers(REFRESH, **CONSOLE, cookie=f"{HOST_COOKIE}={browser.token}")
    repeated = with_header_values(request, "origin", "https://evil.example", CONSOLE["origin"])

    problem_of(browser.identity(repeated), repeated, 403, "forbidden")


def test_log_in_of_another_origin_is_refused(identity: Function, acme: Provisioned) -> None:
    request = log_in_request(acme, **(CONSOLE | {"origin": "https://evil.example"}))

    problem_of(identity(request), request, 403, "forbidden")


@pytest.mark.parametrize("host", [f"acme.{BASE_DOMAIN}", f"{HOST}:443", HOST.upper()])
def test_own_origin_of_any_host_is_accepted(identity: Function, acme: Provisioned, host: str) -> None:
    origin = f"https://{host.lower()}"
    headers = {"x_console": "1", "host": host, "origin": origin}
    logged_in = answer_of(identity(log_in_request(acme, **headers)))
    cookie = logged_in.headers["set-cookie"].partition(";")[0]

    assert answer_of(identity(with_headers(REFRESH, **headers, cookie=cookie))).status == 200


def test_cookie_without_the_header_is_ignored(browser: Browser) -> None:
    for request in (REFRESH, LOG_OUT):
        sent = with_headers(request, cookie=f"{HOST_COOKIE}={browser.token}", origin=CONSOLE["origin"], host=HOST)
        problem_of(browser.identity(sent), sent, 422, "invalid")
    assert browser.send(REFRESH).status == 200


def test_token_in_the_body_of_the_console_is_refused(browser: Browser) -> None:
    request = with_headers(
        post("refresh", {"refresh_token": browser.token}), **CONSOLE, cookie=f"{HOST_COOKIE}={browser.token}"
    )

    problem_of(browser.identity(request), request, 422, "invalid")


OTHER_COOKIES = [
    None,
    "",
    "{name}",
    "{name}=",
    "other={token}",
    "{plain}={token}",
    "{name}={token}; {name}={token}",
    "x{name}={token}",
    "{name} x={token}",
]


def test_other_cookies_are_ignored(browser: Browser, subtests: pytest.Subtests) -> None:
    """A page below the base domain cannot set a cookie with the prefix for this host."""
    for cookie in OTHER_COOKIES:
        text = cookie and cookie.format(name=HOST_COOKIE, plain=LOCAL_COOKIE, token=browser.token)
        request = with_headers(REFRESH, **CONSOLE, cookie=text)

        with subtests.test(str(cookie)):
            problem_of(browser.identity(request), request, 401, "unauthenticated")


def test_cookie_is_found_among_others(browser: Browser) -> None:
    browser.cookies["theme"] = "dark"

    assert browser.send(REFRESH).status == 200


@pytest.mark.parametrize("host", ["localhost:8080", "acme.localhost", "127.0.0.1:3000", "[::1]:8000"])
def test_local_host_has_a_plain_cookie(identity: Function, acme: Provisioned, host: str) -> None:
    headers = {"x_console": "1", "host": host, "origin": f"http://{host}"}

    answer = answer_of(identity(log_in_request(acme, **headers)))
    cookie, *attributes = answer.headers["set-cookie"].split("; ")

    assert cookie.startswith(f"{LOCAL_COOKIE}=")
    assert "Secure" not in attributes
    assert answer_of(identity(with_headers(REFRESH, **headers, cookie=cookie))).status == 200


@pytest.mark.parametrize("host", ["localhost.evil.example", "notlocalhost", "127.0.0.1.evil.example", "localhost:x"])
def test_other_host_has_no_plain_cookie(identity: Function, acme: Provisioned, host: str) -> None:
    answer = answer_of(identity(log_in_request(acme, x_console="1", host=host)))

    assert answer.headers["set-cookie"].startswith(f"{HOST_COOKIE}=")
    assert "Secure" in answer.headers["set-cookie"]


def test_cookie_of_one_organization_is_useless_at_anothers_host(browser: Browser, globex: Provisioned) -> None:
    host = f"{globex.organization.subdomain}.{BASE_DOMAIN}"
    headers = {"x_console": "1", "host": host, "origin": f"https://{host}"}
    request = with_headers(REFRESH, **headers, cookie=f"{HOST_COOKIE}={browser.token}")

    problem_of(browser.identity(request), request, 401, "unauthenticated")


def test_other_routes_ignore_the_cookie(browser: Browser) -> None:
    request = sample("identity", "show_me")
    context = {name: value for name, value in request["requestContext"].items() if name != "authorizer"}
    anonymous = {**with_headers(request, **CONSOLE, cookie=f"{HOST_COOKIE}={browser.token}", authorization=None),
                 "requestContext": context}  # fmt: skip

    problem_of(browser.identity(anonymous), anonymous, 401, "unauthenticated")


def test_preflight_does_not_allow_the_header() -> None:
    """So a browser never sends it to another origin."""
    assert "x-console" not in ALLOWED_HEADERS
    assert "cookie" not in ALLOWED_HEADERS


def test_answer_without_the_header_sets_no_cookie(identity: Function, acme: Provisioned) -> None:
    tokens = tokens_in(identity(log_in_request(acme)))

    answer = answer_of(identity(post("refresh", {"refresh_token": tokens["refresh_token"]})))

    assert "set-cookie" not in answer.headers
