"""URLs of tenants: which ones may be fetched, and where they lead."""

import pytest

from tenancy.errors import FETCH_FAULT_TEXTS, FetchFault, UnreachableUrlError
from tenancy.rules.durations import FETCH_CONNECT_TIMEOUT_SECONDS, FETCH_WORK_TIME_SECONDS
from tenancy.rules.fetching import MAX_REDIRECTS
from tenancy.rules.tenant_urls import URL_MAX_CHARACTERS, parse_url, redirected
from tests.members import for_each

PRIVATE = frozenset({("localhost", 8443), ("127.0.0.1", 8444), ("idp.acme.example", 8445)})
PARTS = {
    "https://acme.example": ("acme.example", 443, "/"),
    "https://ACME.example:443/a/b?c=d&e": ("acme.example", 443, "/a/b?c=d&e"),
    "https://acme.example./": ("acme.example", 443, "/"),
    "https://acme.example/#part": ("acme.example", 443, "/"),
    "https://acme.example?x=1": ("acme.example", 443, "/?x=1"),
    "HTTPS://acme.example/%20%0d%0a": ("acme.example", 443, "/%20%0d%0a"),
    "https://xn--bcher-kva.example/": ("xn--bcher-kva.example", 443, "/"),
    "https://localhost:8443/x": ("localhost", 8443, "/x"),
    "https://LOCALHOST.:8443/x": ("localhost", 8443, "/x"),
    "https://127.0.0.1:8444/": ("127.0.0.1", 8444, "/"),
    "https://idp.acme.example:8445/": ("idp.acme.example", 8445, "/"),
}
REFUSED = (
    "", "acme.example", "//acme.example", "http://acme.example/", "ftp://acme.example/", "file:///etc/passwd",
    "javascript:alert(1)", "https:", "https://", "https:///x", "https://acme", "https://localhost/",
    "https://localhost:8444/", "https://127.0.0.1/", "https://127.0.0.1:8443/", "https://127.1:8444/",
    "https://2130706433/", "https://0x7f000001/", "https://017700000001/", "https://0/", "https://[::1]/",
    "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[::1", "https://1.1.1.1/",
    "https://acme.example:80/", "https://acme.example:8443/", "https://acme.example:0/", "https://acme.example:65536/",
    "https://acme.example:-1/", "https://acme.example:x/", "https://user@acme.example/", "https://user:pw@acme.example/",
    "https://@acme.example/", "https://acme.example@127.0.0.1/", "https://acme.example\\@127.0.0.1/",
    "https://acme.example\\.evil.example/", "https://acme.example /", " https://acme.example/",
    "https://acme.example/\n",
    "https://acme.example/\r\nHost: x", "https://acme.example/\t", "https://acme.example/\x00",
    "https://acme.example/\x7f",
    "https://acme.example/ü", "https://bücher.example/", "https://\uff41cme.example/", "https://acme.example/<x>",
    "https://%61cme.example/", "https://acme_1.example/", "https://acme..example/",
    f"https://acme.example/{'a' * 2_048}",
    "https://idp.acme.example:8446/", "https://localhost.:443/",
)  # fmt: skip


@for_each(("text", "parts"), list(PARTS.items()))
def test_url_has_these_parts(text: str, parts: tuple[str, int, str]) -> None:
    url = parse_url(text, PRIVATE)

    assert (url.host, url.port, url.target) == parts
    assert url.may_be_private == (url.port != 443)


@for_each("text", REFUSED, ids=ascii)
def test_other_url_is_refused(text: str) -> None:
    with pytest.raises(UnreachableUrlError) as refused:
        parse_url(text, PRIVATE)

    assert refused.value.fault is FetchFault.INVALID_URL


@for_each("text", [text for text in PARTS if ":844" in text])
def test_private_host_is_refused_without_the_setting(text: str) -> None:
    with pytest.raises(UnreachableUrlError):
        parse_url(text)


def test_longest_url_is_accepted() -> None:
    start = "https://acme.example/"

    assert parse_url(start + "a" * (URL_MAX_CHARACTERS - len(start))).target.startswith("/aaa")


@for_each(
    ("location", "text"),
    [
        ("/b", "https://acme.example/b"),
        ("b?c", "https://acme.example/a/b?c"),
        ("//other.example/", "https://other.example/"),
        ("https://other.example", "https://other.example"),
    ],
)
def test_redirect_is_relative_to_its_url(location: str, text: str) -> None:
    url = redirected(parse_url("https://acme.example/a/"), location, frozenset())

    assert url == parse_url(text)


@for_each("location", ["http://acme.example/", "//127.0.0.1/", "https://[::1", "https://a.example:22/", "x" * 5_000])
def test_redirect_is_checked_like_a_url(location: str) -> None:
    with pytest.raises(UnreachableUrlError):
        redirected(parse_url("https://acme.example/"), location, frozenset())


def test_every_fault_has_a_text() -> None:
    assert set(FETCH_FAULT_TEXTS) == set(FetchFault)


def test_texts_of_faults_name_the_limits() -> None:
    times = f"{FETCH_CONNECT_TIMEOUT_SECONDS:g} seconds for a connection, {FETCH_WORK_TIME_SECONDS:g} seconds in total"

    assert times in FETCH_FAULT_TEXTS[FetchFault.TOO_SLOW]
    assert f"more than {MAX_REDIRECTS} times" in FETCH_FAULT_TEXTS[FetchFault.TOO_MANY_REDIRECTS]
    assert str(UnreachableUrlError(FetchFault.TOO_LARGE, max_bytes=65_536)).endswith("at most 65,536 bytes.")
    assert "bytes" not in str(UnreachableUrlError(FetchFault.NO_HTTP, max_bytes=65_536))
