"""URLs and DNS names of tenants, fetched from real servers over TLS with an authority of the tests."""

import gzip
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tenancy.errors import FetchFault
from tenancy.rules.domain_names import DOMAIN_MAX_CHARACTERS
from tenancy.rules.fetching import (
    MAX_FETCHED_BYTES,
    MAX_REDIRECTS,
    FetchAnswer,
    FetchedDocument,
    FetchRefused,
    FoundRecords,
    TxtRequest,
    UrlRequest,
)
from tenancy.stores.internet import https
from tenancy.stores.internet.names import Names
from tenancy.use_cases.fetch import fetch
from tenancy.use_cases.fetch.fetch import answer_request
from tests.free_ports import free_port
from tests.name_server import NameServer, running_name_server
from tests.stores.private_authority import make_authority
from tests.tls_provider import Answer, Provider, http_answer, running_provider

IDP = "idp.acme.example"
PUBLIC_ADDRESS = "93.184.216.34"
SHORT_SECONDS = 1.0
DRIPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Internet:
    """A provider for `idp.acme.example`, and the DNS server that knows it."""

    provider: Provider
    names: NameServer

    def get(self, path: str = "/", *, is_allowed: bool = True, **changes: Any) -> FetchAnswer:  # noqa: ANN401
        """Fetch *path* of the provider. *is_allowed* puts the provider into `PRIVATE_HOSTS_ALLOWED`."""
        members: dict[str, Any] = {"url": self.provider.url(path, IDP), "max_bytes": 1_000} | changes
        request = UrlRequest(**members)
        return self.ask(request, is_allowed=is_allowed)

    def ask(self, request: UrlRequest | TxtRequest, *, is_allowed: bool = True) -> FetchAnswer:
        private_hosts = frozenset({(IDP, self.provider.port)} if is_allowed else set[tuple[str, int]]())
        return answer_request(Names(("127.0.0.1", self.names.port)), request, private_hosts)

    def fault(self, answer: Answer, **changes: Any) -> FetchFault:  # noqa: ANN401
        """Return the fault of a provider that gives *answer*."""
        self.provider.answers["/"] = answer
        refused = self.get(**changes)
        assert isinstance(refused, FetchRefused), refused
        return refused.fault


@pytest.fixture(scope="module")
def running_names() -> Iterator[NameServer]:
    with running_name_server() as names:
        yield names


@pytest.fixture
def names(running_names: NameServer) -> NameServer:
    running_names.forget()
    return running_names


@pytest.fixture
def internet(names: NameServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    authority = make_authority(tmp_path / "authority", IDP)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.root_file))
    https._tls.cache_clear()
    with running_provider(authority.server_file) as provider:
        names.put(IDP, "A", "127.0.0.1")
        yield Internet(provider=provider, names=names)
    https._tls.cache_clear()


def test_name_server_of_the_tests_has_its_port_alone(running_names: NameServer) -> None:
    """The refused one leaves no open socket, which would fail this test."""
    with pytest.raises(OSError, match="in use"), running_name_server(running_names.port):
        pass


def test_document_is_fetched(internet: Internet) -> None:
    internet.provider.answers["/a?b=c"] = http_answer(b'{"x": 1}', content_type="application/json")

    answer = internet.get("/a?b=c", accept="application/json")

    assert answer == FetchedDocument(status=200, content_type="application/json", body_base64=b'{"x": 1}')
    head = internet.provider.received[0].decode().split("\r\n")
    assert head[0] == "GET /a?b=c HTTP/1.1"
    assert {f"Host: {IDP}:{internet.provider.port}", "Accept: application/json", "Accept-Encoding: identity"} < set(
        head
    )


@pytest.mark.parametrize(
    "status", ["400 Bad Request", "404 Not Found", "500 Internal Server Error", "503 Service Unavailable"]
)
def test_answer_with_an_error_is_returned(internet: Internet, status: str) -> None:
    internet.provider.answers["/"] = http_answer(b"no", status)

    answer = internet.get()

    assert isinstance(answer, FetchedDocument)
    assert (answer.status, answer.body) == (int(status[:3]), b"no")


def test_form_is_posted_once_with_its_header(internet: Internet) -> None:
    internet.provider.answers["/"] = http_answer(b"ok")

    internet.get(method="POST", form={"code": "a b&c", "x": "ü"}, headers={"Authorization": "Basic eA=="})

    [request] = internet.provider.received
    head, _, body = request.decode().partition("\r\n\r\n")
    assert body == "code=a+b%26c&x=%C3%BC"
    assert "Authorization: Basic eA==" in head
    assert "Content-Type: application/x-www-form-urlencoded" in head


# ----------------------------------------------------------------------------------------------------------- addresses

NOT_PUBLIC = [
    ("A", "127.0.0.1"), ("A", "10.0.0.1"), ("A", "169.254.169.254"), ("A", "192.168.1.1"), ("A", "100.64.0.1"),
    ("A", "224.0.0.1"), ("A", "203.0.113.1"), ("A", "0.0.0.0"), ("AAAA", "::1"), ("AAAA", "::ffff:7f00:1"),
    ("AAAA", "64:ff9b::7f00:1"), ("AAAA", "fd00:ec2::254"), ("AAAA", "fe80::1"), ("AAAA", "2002:7f00:1::"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "address"), NOT_PUBLIC)
def test_host_with_a_private_address_is_refused(internet: Internet, kind: str, address: str) -> None:
    internet.names.put("bad.acme.example", kind, address)

    answer = internet.get(url="https://bad.acme.example/", is_allowed=False)

    assert answer == FetchRefused(fault=FetchFault.NOT_PUBLIC)


def test_one_private_address_of_several_refuses_the_host(internet: Internet) -> None:
    internet.names.put("both.acme.example", "A", PUBLIC_ADDRESS, "10.0.0.1")

    answer = internet.get(url="https://both.acme.example/", is_allowed=False)

    assert answer == FetchRefused(fault=FetchFault.NOT_PUBLIC)


def test_provider_of_the_tests_is_refused_without_the_setting(internet: Internet) -> None:
    internet.provider.answers["/"] = http_answer(b"secret")

    assert internet.get(is_allowed=False) == FetchRefused(fault=FetchFault.INVALID_URL)  # its port
    assert internet.get(url=f"https://{IDP}/", is_allowed=False) == FetchRefused(fault=FetchFault.NOT_PUBLIC)
    assert internet.provider.received == []


@pytest.mark.parametrize("url", ["https://a.localhost/", "https://127.0.0.1/", "https://[::1]/", "https://2130706433/"])
def test_this_machine_is_refused_by_any_name(internet: Internet, url: str) -> None:
    answer = internet.get(url=url, is_allowed=False)

    assert isinstance(answer, FetchRefused)
    assert internet.names.asked == []


def test_connection_goes_to_the_address_that_was_checked(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next look-up of the name would lead to a private address."""
    connected: list[str] = []

    def accept_and_change(_: object) -> bool:
        internet.names.put(IDP, "A", "127.0.0.9")
        return True

    def connect(addresses: Sequence[object], *_: object) -> None:
        connected.extend(map(str, addresses))
        raise ConnectionRefusedError

    monkeypatch.setattr(fetch, "is_public", accept_and_change)
    monkeypatch.setattr(https, "_connect", connect)
    internet.names.put(IDP, "A", PUBLIC_ADDRESS)

    answer = internet.get(url=f"https://{IDP}/", is_allowed=False)

    assert answer == FetchRefused(fault=FetchFault.UNREACHABLE)
    assert connected == [PUBLIC_ADDRESS]


def test_name_without_an_address_is_refused(internet: Internet) -> None:
    internet.names.put("mail.acme.example", "TXT", "x")

    assert internet.get(url="https://mail.acme.example/") == FetchRefused(fault=FetchFault.NO_ADDRESS)
    assert internet.get(url="https://none.acme.example/") == FetchRefused(fault=FetchFault.NO_ADDRESS)


def test_next_address_is_tried(internet: Internet) -> None:
    internet.names.put(IDP, "A", "127.0.0.2", "127.0.0.1")  # the provider listens on the second one
    internet.provider.answers["/"] = http_answer(b"ok")

    assert isinstance(internet.get(), FetchedDocument)


# ----------------------------------------------------------------------------------------------------------------- TLS


def test_certificate_of_another_name_is_refused(internet: Internet) -> None:
    port = internet.provider.port
    internet.names.put("other.acme.example", "A", "127.0.0.1")

    answer = answer_request(
        Names(("127.0.0.1", internet.names.port)),
        UrlRequest(url=f"https://other.acme.example:{port}/", max_bytes=10),
        frozenset({("other.acme.example", port)}),
    )

    assert answer == FetchRefused(fault=FetchFault.UNTRUSTED)


def test_certificate_of_an_unknown_authority_is_refused(
    internet: Internet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(make_authority(tmp_path / "other").root_file))
    https._tls.cache_clear()

    assert internet.get() == FetchRefused(fault=FetchFault.UNTRUSTED)


def test_server_without_tls_is_refused(internet: Internet) -> None:
    plain = internet.names.port  # a DNS server, over TCP
    answer = answer_request(
        Names(("127.0.0.1", plain)),
        UrlRequest(url=f"https://{IDP}:{plain}/", max_bytes=10),
        frozenset({(IDP, plain)}),
    )

    assert isinstance(answer, FetchRefused)
    assert answer.fault in {FetchFault.UNREACHABLE, FetchFault.TOO_SLOW}


def test_closed_port_is_unreachable(internet: Internet) -> None:
    unused_port = free_port()
    answer = answer_request(
        Names(("127.0.0.1", internet.names.port)),
        UrlRequest(url=f"https://{IDP}:{unused_port}/", max_bytes=10),
        frozenset({(IDP, unused_port)}),
    )

    assert answer == FetchRefused(fault=FetchFault.UNREACHABLE)


# ----------------------------------------------------------------------------------------------------------- redirects


def redirect(location: str, status: str = "302 Found") -> bytes:
    return http_answer(b"moved", status, location=location)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirect_is_followed(internet: Internet, status: str) -> None:
    internet.provider.answers |= {"/a": redirect("/b", status), "/b": http_answer(b"there")}

    answer = internet.get("/a")

    assert isinstance(answer, FetchedDocument)
    assert answer.body == b"there"


@pytest.mark.parametrize(
    ("location", "fault"),
    [
        ("http://idp.acme.example/", FetchFault.INVALID_URL),
        ("https://idp.acme.example:22/", FetchFault.INVALID_URL),
        ("https://169.254.169.254/latest/meta-data/", FetchFault.INVALID_URL),
        ("https://user@idp.acme.example/", FetchFault.INVALID_URL),
        ("file:///etc/passwd", FetchFault.INVALID_URL),
        ("https://inside.acme.example/", FetchFault.NOT_PUBLIC),
        ("https://a.localhost/", FetchFault.NOT_PUBLIC),
        ("/", FetchFault.TOO_MANY_REDIRECTS),
    ],
)
def test_each_redirect_is_checked(internet: Internet, location: str, fault: FetchFault) -> None:
    internet.names.put("inside.acme.example", "A", "10.0.0.1")

    assert internet.fault(redirect(location)) is fault


def test_number_of_redirects_is_bounded(internet: Internet) -> None:
    steps = {f"/{number}": redirect(f"/{number + 1}") for number in range(MAX_REDIRECTS + 1)}
    internet.provider.answers |= {**steps, f"/{MAX_REDIRECTS + 1}": http_answer(b"end")}

    assert internet.get("/0") == FetchRefused(fault=FetchFault.TOO_MANY_REDIRECTS)
    assert isinstance(internet.get("/1"), FetchedDocument)


@pytest.mark.parametrize(
    "changes", [{"method": "POST", "form": {}}, {"headers": {"Authorization": "Bearer x"}}], ids=str
)
def test_request_with_a_secret_follows_no_redirect(internet: Internet, changes: dict[str, Any]) -> None:
    internet.provider.answers |= {"/a": redirect("/b"), "/b": http_answer(b"there")}

    answer = internet.get("/a", **changes)

    assert isinstance(answer, FetchedDocument)
    assert answer.status == 302


# --------------------------------------------------------------------------------------------------------------- sizes


def test_largest_body_fits(internet: Internet) -> None:
    internet.provider.answers["/"] = http_answer(b"x" * MAX_FETCHED_BYTES)

    answer = internet.get(max_bytes=MAX_FETCHED_BYTES)

    assert isinstance(answer, FetchedDocument)
    assert len(answer.body) == MAX_FETCHED_BYTES


def endless(start: bytes, part: bytes) -> Answer:
    def send(client: ssl.SSLSocket) -> None:
        client.sendall(start)
        while True:
            client.sendall(part)

    return send


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TOO_LARGE: dict[str, Answer] = {
    "length": http_answer(b"x" * 1_001),
    "chunks": CHUNKED + b"3e9\r\n" + b"x" * 1_001 + b"\r\n0\r\n\r\n",
    "endless chunks": endless(CHUNKED, b"1\r\nx\r\n"),
    "endless body": endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100),
    "endless headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-More: y\r\n"),
    "endless extensions": endless(CHUNKED, b"1;" + b"a" * 1_000 + b"\r\nx\r\n"),
    "endless announcements": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("case", list(TOO_LARGE))
def test_large_answer_is_refused_while_it_is_read(internet: Internet, case: str) -> None:
    assert internet.fault(TOO_LARGE[case]) in {FetchFault.TOO_LARGE, FetchFault.NO_HTTP}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip"])
def test_compressed_answer_is_refused(internet: Internet, encoding: str) -> None:
    bomb = gzip.compress(b"x" * 100_000)

    assert internet.fault(http_answer(bomb, content_encoding=encoding)) is FetchFault.ENCODED


NO_HTTP: dict[str, bytes] = {
    "nothing": b"",
    "text": b"hello\r\n\r\n",
    "only a head": b"HTTP/1.1 200 OK\r\n",
    "short body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
    "open chunk": CHUNKED + b"5\r\nabc",
    "bad chunk": CHUNKED + b"zz\r\nabc\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "two answers": http_answer(b"a") + http_answer(b"b"),
    "upgrade": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nabc",
}


@pytest.mark.parametrize("case", list(NO_HTTP))
def test_answer_that_is_no_http_is_refused(internet: Internet, case: str) -> None:
    assert internet.fault(NO_HTTP[case]) is FetchFault.NO_HTTP


def test_answer_that_ends_with_its_connection_is_complete(internet: Internet) -> None:
    internet.provider.answers["/"] = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nabc"

    assert internet.get() == FetchedDocument(status=200, content_type="a/b", body_base64=b"abc")


def test_announcement_is_no_answer(internet: Internet) -> None:
    internet.provider.answers["/"] = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + http_answer(b"abc")

    assert isinstance(internet.get(), FetchedDocument)


# ---------------------------------------------------------------------------------------------------------------- time


def dripping(start: bytes) -> Answer:
    def send(client: ssl.SSLSocket) -> None:
        client.sendall(start)
        for _ in range(DRIPS):
            time.sleep(0.1)
            client.sendall(b"x")

    return send


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"], ids=str
)
def test_slow_server_ends_at_the_deadline(internet: Internet, monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(fetch, "FETCH_WORK_TIME_SECONDS", SHORT_SECONDS)
    started_at = time.monotonic()

    fault = internet.fault(dripping(start))

    assert fault in ({FetchFault.NO_HTTP} if not start else {FetchFault.TOO_SLOW})
    assert time.monotonic() - started_at < SHORT_SECONDS + 1


def test_silent_name_server_ends_at_the_deadline(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "FETCH_WORK_TIME_SECONDS", SHORT_SECONDS)
    internet.names.silent.add("_a.acme.example")
    started_at = time.monotonic()

    answer = internet.ask(TxtRequest(name="_a.acme.example"))

    assert answer == FetchRefused(fault=FetchFault.NO_DNS_ANSWER)
    assert time.monotonic() - started_at < SHORT_SECONDS + 1


# ----------------------------------------------------------------------------------------------------------------- TXT


def test_txt_records_are_joined_and_listed(internet: Internet) -> None:
    internet.names.put("_a.acme.example", "TXT", "one", "x" * 600)

    answer = internet.ask(TxtRequest(name="_a.ACME.example."))

    assert isinstance(answer, FoundRecords)
    assert sorted(answer.records) == ["one", "x" * 600]


def test_name_without_txt_records_has_none(internet: Internet) -> None:
    internet.names.put("_a.acme.example", "A", "127.0.0.1")

    assert internet.ask(TxtRequest(name="_a.acme.example")) == FoundRecords(records=())
    assert internet.ask(TxtRequest(name="_b.acme.example")) == FoundRecords(records=())


def test_txt_records_of_an_alias_are_not_those_of_the_name(internet: Internet) -> None:
    """`*.acme.example` may be an alias of another company's name, which must not prove names of acme."""
    internet.names.put("_a.acme.example", "CNAME", "acme.globex.example")
    internet.names.put("acme.globex.example", "TXT", "one")

    assert internet.ask(TxtRequest(name="_a.acme.example")) == FoundRecords(records=())
    assert internet.ask(TxtRequest(name="acme.globex.example")) == FoundRecords(records=("one",))


def test_failing_name_server_is_no_proof_of_absence(internet: Internet) -> None:
    internet.names.failing.add("_a.acme.example")

    assert internet.ask(TxtRequest(name="_a.acme.example")) == FetchRefused(fault=FetchFault.NO_DNS_ANSWER)


def test_number_and_size_of_records_are_bounded(internet: Internet) -> None:
    internet.names.put("_a.acme.example", "TXT", *(f"{number} {'x' * 100}" for number in range(300)), "x" * 2_000, "ü")

    answer = internet.ask(TxtRequest(name="_a.acme.example"))

    assert isinstance(answer, FoundRecords)
    assert len(answer.records) == 100
    assert all(len(record) < 110 for record in answer.records)


@pytest.mark.parametrize("name", ["acme", "127.0.0.1", "a b.example", f"{'a.' * DOMAIN_MAX_CHARACTERS}example"])
def test_record_of_no_name_is_an_error_of_the_caller(internet: Internet, name: str) -> None:
    with pytest.raises(ValueError, match="Expected a domain name"):
        internet.ask(TxtRequest(name=name))


# ------------------------------------------------------------------------------------------------- requests of our own


@pytest.mark.parametrize(
    "changes",
    [
        {"max_bytes": 0},
        {"max_bytes": MAX_FETCHED_BYTES + 1},
        {"headers": {"Host": "x"}},
        {"headers": {"Authorization": "a\r\nX: b"}},
        {"headers": {"Authorization": "ü"}},
        {"accept": "a\nb"},
        {"form": {"a": "b"}},
    ],
    ids=str,
)
def test_invalid_request_of_a_function_is_an_error(internet: Internet, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        internet.get(**changes)
