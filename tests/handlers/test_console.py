"""GET /v1/console and its files need neither a credential nor a store."""

import base64
import gzip
import json
import re

import pytest

from tests.given import ROOT
from tests.handlers.functions import BASE_DOMAIN, Function, Start
from tests.handlers.requests import Event, answer_of, problem_of, sample, with_headers
from tests.members import for_each

WEB = ROOT / "functions" / "console" / "web"
API_HOST = "analytics.elsewhere.example"
PAGE, DEEP_LINK = sample("console", "page"), sample("console", "file")
NAMED = re.compile(r'(?:href|src)="([^"]+)"')
PAGES = sorted(path.stem for path in (WEB / "pages").glob("*.js"))


@pytest.fixture
def console(start: Start, nowhere: str) -> Function:
    return start("console", AWS_ENDPOINT_URL=f"http://{nowhere}", API_HOST=API_HOST)


def request_for(path: str, **headers: str) -> Event:
    context = {**PAGE["requestContext"], "path": f"/v1{path}"}
    return with_headers({**PAGE, "path": path, "requestContext": context}, **headers)


def text_of(console: Function, path: str) -> str:
    """Return a file as a browser without gzip gets it."""
    answer = answer_of(console(request_for(path, accept_encoding="identity")))
    assert answer.status == 200, path
    return str(answer.body)


def test_page_has_a_strict_policy_and_no_cookie(console: Function) -> None:
    answer = answer_of(console(PAGE))

    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "set-cookie" not in answer.headers


def test_page_has_no_inline_script_or_style(console: Function) -> None:
    html = text_of(console, "/console/")

    assert not re.search(r"<style|style=|javascript:|\son\w+=", html)
    assert re.findall(r"<script[^>]*>(.*?)</script>", html) == [""]


def test_files_of_the_page_never_change(console: Function) -> None:
    names = NAMED.findall(text_of(console, "/console/"))

    answers = [answer_of(console(request_for(f"/console/{name}"))) for name in names]

    assert len(names) == 3
    assert {answer.headers["cache-control"] for answer in answers} == {"public, max-age=31536000, immutable"}
    assert {answer.headers["content-type"] for answer in answers} == {
        "text/javascript; charset=utf-8",
        "text/css; charset=utf-8",
        "image/svg+xml",
    }
    assert all("'none'" in answer.headers["content-security-policy"] for answer in answers)


def test_page_without_a_trailing_slash_names_the_same_files(console: Function) -> None:
    beside, above = NAMED.findall(text_of(console, "/console/")), NAMED.findall(text_of(console, "/console"))

    assert above == [f"console/{name}" for name in beside]


def test_page_below_names_the_same_files(console: Function) -> None:
    beside, below = (
        NAMED.findall(text_of(console, "/console/usage")),
        NAMED.findall(text_of(console, "/console/usage/")),
    )

    assert below == [f"../{name}" for name in beside]


@for_each("page", PAGES)
def test_each_page_has_an_address_and_a_file(page: str) -> None:
    html = (WEB / "index.html").read_text()

    assert "{pages}" in html
    assert re.fullmatch(r"[a-z-]+", page)


def test_address_of_a_page_answers_the_page(console: Function) -> None:
    assert answer_of(console(DEEP_LINK)).headers["etag"] == answer_of(console(PAGE)).headers["etag"]


def test_each_file_that_a_file_names_is_there(console: Function) -> None:
    html = text_of(console, "/console/")
    pages = json.loads(re.findall(r'name="pages" content="([^"]*)"', html)[0].replace("&quot;", '"'))

    assert sorted(pages) == PAGES
    scripts = [*pages.values(), *(name for name in NAMED.findall(html) if name.endswith(".js"))]
    named = {
        name
        for script in scripts
        for name in re.findall(r'"\./([\w-]+-[0-9a-f]{16}\.js)"', text_of(console, f"/console/{script}"))
    }
    assert len(named) == 2  # the linked modules, and the chart
    for name in named:
        assert text_of(console, f"/console/{name}")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_known_version_of_a_file_is_304(console: Function, form: str) -> None:
    tag = answer_of(console(PAGE)).headers["etag"]

    answer = answer_of(console(with_headers(PAGE, if_none_match=form.format(tag))))

    assert (answer.status, answer.body, answer.headers["etag"]) == (304, "", tag)


@pytest.mark.parametrize("coding", ["br, GZIP", "gzip;q=0.5", "deflate, gzip; q=1.0"])
def test_browser_that_takes_gzip_gets_it(console: Function, coding: str) -> None:
    answer = console(request_for("/console/", accept_encoding=coding))

    assert answer["headers"]["Content-Encoding"] == "gzip"
    assert answer["isBase64Encoded"] is True
    assert gzip.decompress(base64.b64decode(answer["body"])).decode() == text_of(console, "/console/")


@pytest.mark.parametrize("coding", ["", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip"])
def test_browser_without_gzip_gets_the_plain_file(console: Function, coding: str) -> None:
    answer = console(request_for("/console/", accept_encoding=coding))

    assert "Content-Encoding" not in answer["headers"]
    assert answer["body"].startswith("<!doctype html>")


def test_compressed_file_has_a_tag_of_its_own(console: Function) -> None:
    """A cache that joins parts of both would store a broken file."""
    plain, compressed = (
        console(request_for("/console/", accept_encoding=coding))["headers"]["ETag"] for coding in ("identity", "gzip")
    )

    again = console(request_for("/console/", accept_encoding="gzip", if_none_match=compressed))
    other = console(request_for("/console/", accept_encoding="gzip", if_none_match=plain))

    assert plain != compressed
    assert (again["statusCode"], again["headers"]["ETag"], other["statusCode"]) == (304, compressed, 200)


@pytest.mark.parametrize(
    "host",
    [
        f"acme.{BASE_DOMAIN}",
        f"acme.{BASE_DOMAIN}:8443",
        "api.acme.example",
        "ACME.EXAMPLE",
    ],
)
def test_page_of_an_organizations_host_says_so(console: Function, host: str) -> None:
    answer = answer_of(console(request_for("/console/sign-in", host=host, accept_encoding="identity")))

    assert '<meta name="host" content="own">' in answer.body


@pytest.mark.parametrize(
    "host",
    [
        API_HOST,
        f"{API_HOST}:443",
        f"api.{BASE_DOMAIN}",
        BASE_DOMAIN,
        "localhost:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
        "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
        "",
    ],
)
def test_page_of_a_shared_host_says_so(console: Function, host: str) -> None:
    answer = answer_of(console(request_for("/console/sign-in", host=host, accept_encoding="identity")))

    assert '<meta name="host" content="shared">' in answer.body


def test_query_changes_nothing(console: Function) -> None:
    values = {"organization": "acme", "unknown": "<script>"}
    request = {**PAGE, "queryStringParameters": values}

    assert answer_of(console(request)).headers["etag"] == answer_of(console(PAGE)).headers["etag"]


@pytest.mark.parametrize(
    "name",
    ["app.js", "app-0000000000000000.js", "../app.py", "..%2fapp.py", "types.d.ts", "usage/x", "usage.js"],
)
def test_unknown_file_is_404(console: Function, name: str) -> None:
    request = request_for(f"/console/{name}")

    problem_of(console(request), request, 404, "not_found")


@pytest.mark.parametrize("name", ["nothing", "nothing/", "Usage", "constructor", "%3Cscript%3E"])
def test_unknown_page_is_the_page_with_404(console: Function, name: str) -> None:
    answer = answer_of(console(request_for(f"/console/{name}", if_none_match="*")))

    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert answer.body == text_of(console, "/console/usage/" if name.endswith("/") else "/console/")
    assert answer.headers["cache-control"] == "no-store"
    assert "'none'" in answer.headers["content-security-policy"]
    assert "etag" not in answer.headers


def test_files_are_not_read_at_a_cold_start(console: Function) -> None:
    assert console.app.read_console.cache_info().currsize == 0

    console(PAGE)

    assert console.app.read_console.cache_info().currsize == 1
