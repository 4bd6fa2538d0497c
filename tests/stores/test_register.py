"""The register in S3: an entry is written once."""

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import UUID

import pytest

from tenancy.errors import UnavailableError
from tenancy.rules.register import digest_of, ended_keys, erased_organization
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.register import Register
from tests.given import NOW, REGION, REGISTER_BUCKET, AwsAccount
from tests.registers import read_register, stored_entries

ACME, KEY = UUID(int=1), UUID(int=2)


def test_entry_is_stored_once(register: Register) -> None:
    entry = erased_organization(ACME, closed_at=NOW)
    other = replace(entry, content={"closed_at": "later"})

    register.put(entry)
    register.put(other)

    assert stored_entries() == {entry.name: {"closed_at": NOW.isoformat()}}


def test_entries_are_read_page_by_page(register: Register) -> None:
    for number in range(25):
        register.put(ended_keys(ACME, [KEY], ends_at=NOW - timedelta(hours=number)))

    assert read_register().key_ends == {digest_of(ACME): {digest_of(ACME, KEY): NOW - timedelta(hours=24)}}


@pytest.mark.usefixtures("aws")
def test_unreachable_s3_is_unavailable(nowhere: str) -> None:
    unreachable = Register(AwsClient("s3", REGION, f"http://{nowhere}"), REGISTER_BUCKET)

    with pytest.raises(UnavailableError, match="S3 is unreachable"):
        unreachable.put(erased_organization(ACME, closed_at=NOW))


def test_refused_write_is_unavailable(aws: AwsAccount) -> None:
    missing = Register(AwsClient("s3", REGION, aws.endpoint_url), "no-such-bucket")

    with pytest.raises(UnavailableError, match="404"):
        missing.put(erased_organization(ACME, closed_at=NOW))


@pytest.mark.usefixtures("aws")
def test_denied_write_names_the_permission() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), DenyingHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        denying = Register(AwsClient("s3", REGION, f"http://127.0.0.1:{server.server_port}"), "register")
        try:
            with pytest.raises(UnavailableError, match="denied s3:PutObject on /register/organizations/"):
                denying.put(erased_organization(ACME, closed_at=NOW))
        finally:
            server.shutdown()


class DenyingHandler(BaseHTTPRequestHandler):
    """Answers as S3 does to a caller without the permission."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(HTTPStatus.FORBIDDEN)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass
