"""Fetch a URL of a tenant, or list the TXT or CNAME records of a name."""

import string
from collections.abc import Set as AbstractSet
from typing import Final
from urllib.parse import urlencode

from tenancy.errors import FetchFault, UnreachableUrlError
from tenancy.rules.domain_names import parse_domain_name, parse_record_name
from tenancy.rules.durations import FETCH_WORK_TIME_SECONDS
from tenancy.rules.fetching import (
    FETCH_HEADERS,
    MAX_FETCHED_BYTES,
    MAX_REDIRECTS,
    CnameRequest,
    FetchAnswer,
    FetchedDocument,
    FetchRefused,
    FetchRequest,
    FoundRecords,
    TxtRequest,
    UrlRequest,
)
from tenancy.rules.public_addresses import is_public
from tenancy.rules.tenant_urls import HostAndPort, TenantUrl, parse_url, redirected
from tenancy.stores.internet.deadline import Deadline
from tenancy.stores.internet.https import HttpsAnswer, exchange
from tenancy.stores.internet.names import Names

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
PRINTABLE: Final = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")


def answer_request(names: Names, request: FetchRequest, private_hosts: AbstractSet[HostAndPort]) -> FetchAnswer:
    """Answer *request* with a document, with DNS records, or with a fault.

    Only the *private_hosts* may have addresses that are not public.

    Raises:
        ValueError: the request of our own function is not valid.
    """
    try:
        match request:
            case TxtRequest():
                records = names.list_txt_records(parse_record_name(request.name), Deadline(FETCH_WORK_TIME_SECONDS))
                return FoundRecords(records=records)
            case CnameRequest():
                records = names.list_cname_records(parse_domain_name(request.name), Deadline(FETCH_WORK_TIME_SECONDS))
                return FoundRecords(records=records)
            case UrlRequest():
                return _fetch(names, request, private_hosts)
    except UnreachableUrlError as error:
        return FetchRefused(fault=error.fault)


def _fetch(names: Names, request: UrlRequest, private_hosts: AbstractSet[HostAndPort]) -> FetchedDocument:
    """Follow the redirects of a request without a form and without headers: those are for the named host alone."""
    _check(request)
    deadline = Deadline(FETCH_WORK_TIME_SECONDS)
    url = parse_url(request.url, private_hosts)
    for _ in range(MAX_REDIRECTS + 1):
        answer = _exchange(names, url, request, deadline)
        if request.method == "POST" or request.headers or answer.status not in REDIRECTS or not answer.location:
            return FetchedDocument(status=answer.status, content_type=answer.content_type, body_base64=answer.body)
        url = redirected(url, answer.location, private_hosts)
    raise UnreachableUrlError(FetchFault.TOO_MANY_REDIRECTS)


def _exchange(names: Names, url: TenantUrl, request: UrlRequest, deadline: Deadline) -> HttpsAnswer:
    addresses = names.list_addresses(url.host, deadline)
    if not url.may_be_private and not all(is_public(address) for address in addresses):
        raise UnreachableUrlError(FetchFault.NOT_PUBLIC)
    return exchange(url, addresses, _message(url, request), max_bytes=request.max_bytes, deadline=deadline)


def _message(url: TenantUrl, request: UrlRequest) -> bytes:
    body = urlencode(request.form or {}).encode("ascii")
    headers = {
        "Host": url.authority,
        "User-Agent": "tenancy",
        "Accept": request.accept or "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **request.headers,
    }
    if request.method == "POST":
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    lines = [
        f"{request.method} {url.target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("ascii") + body


def _check(request: UrlRequest) -> None:
    values = [*request.headers.values(), request.accept or ""]
    if not 0 < request.max_bytes <= MAX_FETCHED_BYTES:
        raise ValueError(f"max_bytes is not between 1 and {MAX_FETCHED_BYTES}.")
    if not {name.lower() for name in request.headers} <= FETCH_HEADERS:
        raise ValueError("A request has a header that is not in FETCH_HEADERS.")
    if not all(PRINTABLE.issuperset(value) for value in values):
        raise ValueError("A header has a character that is not printable ASCII.")
    if request.form is not None and request.method != "POST":
        raise ValueError("Only a POST has a form.")
