"""The lean client of AWS, against moto and against a server that misbehaves."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest

from tenancy.errors import UnavailableError
from tenancy.stores.aws.client import AwsCallError, AwsClient
from tenancy.stores.aws.secrets import Secrets
from tests.given import REGION, AwsAccount, free_port


class Moody(BaseHTTPRequestHandler):
    """Answers, and hangs up without a word on every second request of a connection."""

    protocol_version = "HTTP/1.1"
    answered = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Moody.answered += 1
        body = b'{"answered": true}'
        self.send_response(int(self.headers["X-Amz-Target"].rpartition(".")[2]))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def moody(aws: AwsAccount) -> Iterator[AwsClient]:  # noqa: ARG001 - brings the credentials
    server = ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    client = AwsClient("sqs", REGION, f"http://127.0.0.1:{server.server_port}")
    yield client
    client.close()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_connection_that_was_closed_in_between_is_opened_again(moody: AwsClient) -> None:
    assert [moody.call("Service.200", {}) for _ in range(3)] == [{"answered": True}] * 3


@pytest.mark.parametrize("status", [500, 503])
def test_a_service_that_fails_is_an_outage(moody: AwsClient, status: int) -> None:
    with pytest.raises(UnavailableError):
        moody.call(f"Service.{status}", {})


def test_a_service_that_cannot_be_reached_is_an_outage(aws: AwsAccount) -> None:
    assert aws.queue_url
    nowhere = AwsClient("sqs", REGION, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError):
        nowhere.call("AmazonSQS.ListQueues", {})


def test_a_refusal_carries_the_services_code(aws: AwsAccount) -> None:
    client = AwsClient("secretsmanager", REGION, aws.endpoint_url)
    secrets = Secrets(client, "tenancy/test")
    with pytest.raises(AwsCallError) as refusal:
        secrets.get_secret("nothing")
    assert refusal.value.code == "ResourceNotFoundException"
    assert secrets.find_secret("nothing") is None
    client.close()


def test_a_secret_that_was_read_stays_in_use_while_secrets_manager_is_away(
    aws: AwsAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    boto3.client("secretsmanager", region_name=REGION).create_secret(Name="tenancy/test/jwks", SecretString="keys")
    client = AwsClient("secretsmanager", REGION, aws.endpoint_url)
    secrets = Secrets(client, "tenancy/test")
    assert secrets.get_secret("jwks") == "keys"
    client.close()
    monkeypatch.setattr("tenancy.rules.durations.SECRET_CACHE_SECONDS", -1.0)
    secrets._aws = AwsClient("secretsmanager", REGION, f"http://127.0.0.1:{free_port()}")
    assert secrets.get_secret("jwks") == "keys"
    with pytest.raises(UnavailableError):
        secrets.get_secret("database")
