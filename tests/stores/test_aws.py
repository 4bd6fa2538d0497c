"""The small AWS client, against moto and against a server that closes connections."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import boto3
import pytest

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.durations import SECRET_RETRY_SECONDS
from tenancy.stores.aws.client import THROTTLED, AwsClient
from tenancy.stores.aws.secrets import SecretChangedError, Secrets, StoredSecret
from tests import aws_account
from tests.free_ports import free_port
from tests.given import REGION, AwsAccount


class ClosingHandler(BaseHTTPRequestHandler):
    """Answers with the code and the status in the target, and closes the connection without notice."""

    protocol_version = "HTTP/1.1"
    answered = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        ClosingHandler.answered += 1
        code, _, status = self.headers["X-Amz-Target"].rpartition(".")
        body = b'{"answered": true}' if status == "200" else json.dumps({"__type": f"com.amazonaws#{code}"}).encode()
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def closing_client(aws: AwsAccount) -> Iterator[AwsClient]:  # noqa: ARG001 - sets the credentials
    server = ThreadingHTTPServer(("127.0.0.1", 0), ClosingHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    client = AwsClient("sqs", REGION, f"http://127.0.0.1:{server.server_port}")
    yield client
    client.close()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def secrets(aws: AwsAccount) -> Iterator[Secrets]:
    client = AwsClient("secretsmanager", REGION, aws.endpoint_url)
    yield Secrets(client, "tenancy/test")
    client.close()


def test_closed_connection_is_opened_again(closing_client: AwsClient) -> None:
    assert [closing_client.call("Service.200", {}) for _ in range(3)] == [{"answered": True}] * 3


@pytest.mark.parametrize("status", [500, 503])
def test_server_error_is_unavailable(closing_client: AwsClient, status: int) -> None:
    with pytest.raises(UnavailableError):
        closing_client.call(f"Service.{status}", {})


@pytest.mark.usefixtures("aws")
def test_unreachable_service_is_unavailable() -> None:
    client = AwsClient("sqs", REGION, f"http://127.0.0.1:{free_port()}")

    with pytest.raises(UnavailableError):
        client.call("AmazonSQS.ListQueues", {})


def test_rejected_call_has_the_code_of_the_service(secrets: Secrets) -> None:
    with pytest.raises(AwsCallError) as rejected:
        secrets.get_secret("missing")

    assert rejected.value.code == "ResourceNotFoundException"


def test_missing_secret_is_not_found(secrets: Secrets) -> None:
    assert secrets.find_secret("missing", max_age_seconds=60) is None
    assert secrets.read_secret("missing") == StoredSecret()


def create_secret(name: str, text: str) -> None:
    boto3.client("secretsmanager", region_name=REGION).create_secret(Name=f"tenancy/test/{name}", SecretString=text)


def test_found_secret_is_read_again_when_it_is_too_old(secrets: Secrets) -> None:
    assert secrets.find_secret("token-public-keys", max_age_seconds=60) is None

    create_secret("token-public-keys", "first")

    assert secrets.find_secret("token-public-keys", max_age_seconds=60) is None
    assert secrets.find_secret("token-public-keys", max_age_seconds=-1) == "first"
    assert secrets.find_secret("token-public-keys", max_age_seconds=60) == "first"


def test_missing_secret_is_read_again_once_it_is_needed(secrets: Secrets) -> None:
    assert secrets.find_secret("database", max_age_seconds=60) is None

    create_secret("database", "url")

    assert secrets.get_secret("database") == "url"


def test_first_value_can_be_stored_once(secrets: Secrets) -> None:
    aws_account.make_secret_without_value("tenancy/test/token-public-keys")
    read = secrets.read_secret("token-public-keys")

    secrets.replace_secret("token-public-keys", "first", read=read)
    with pytest.raises(SecretChangedError, match="token-public-keys"):
        secrets.replace_secret("token-public-keys", "second", read=read)

    assert secrets.read_secret("token-public-keys").text == "first"


def test_replaced_version_cannot_be_replaced_again(secrets: Secrets) -> None:
    create_secret("token-public-keys", "first")
    read = secrets.read_secret("token-public-keys")

    secrets.replace_secret("token-public-keys", "second", read=read)
    secrets.replace_secret("token-public-keys", "second", read=read)  # the same call again, after a lost answer
    with pytest.raises(SecretChangedError):
        secrets.replace_secret("token-public-keys", "third", read=read)
    secrets.replace_secret("token-public-keys", "third", read=secrets.read_secret("token-public-keys"))

    assert secrets.read_secret("token-public-keys").text == "third"


def test_replacement_of_a_missing_secret_is_an_error(secrets: Secrets) -> None:
    with pytest.raises(AwsCallError):
        secrets.replace_secret("missing", "text", read=StoredSecret())


def test_cached_secret_is_used_while_aws_is_unreachable(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("secretsmanager", region_name=REGION).create_secret(Name="tenancy/test/jwks", SecretString="keys")
    assert secrets.get_secret("jwks") == "keys"

    monkeypatch.setattr("tenancy.stores.aws.secrets.SECRET_CACHE_SECONDS", -1.0)
    monkeypatch.setattr(secrets, "_aws", AwsClient("secretsmanager", REGION, f"http://127.0.0.1:{free_port()}"))

    assert secrets.get_secret("jwks") == "keys"
    with pytest.raises(UnavailableError):
        secrets.get_secret("database")


def test_failed_read_is_repeated_within_seconds(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    """A withdrawn key must not stay in use for another five minutes because one read failed."""
    seconds = [0.0]
    monkeypatch.setattr("tenancy.stores.aws.secrets.time.monotonic", lambda: seconds[0])
    create_secret("token-public-keys", "first")
    reachable = vars(secrets)["_aws"]
    assert secrets.find_secret("token-public-keys", max_age_seconds=240) == "first"
    reachable.call(
        "secretsmanager.PutSecretValue",
        {"SecretId": "tenancy/test/token-public-keys", "SecretString": "second", "ClientRequestToken": str(uuid4())},
        json_version="1.1",
    )

    seconds[0] += 241
    monkeypatch.setattr(secrets, "_aws", AwsClient("secretsmanager", REGION, f"http://127.0.0.1:{free_port()}"))
    assert secrets.find_secret("token-public-keys", max_age_seconds=240) == "first"
    monkeypatch.setattr(secrets, "_aws", reachable)
    paused = secrets.find_secret("token-public-keys", max_age_seconds=240)
    seconds[0] += SECRET_RETRY_SECONDS

    assert (paused, secrets.find_secret("token-public-keys", max_age_seconds=240)) == ("first", "second")


def test_fresh_secret_is_read_again_within_seconds(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [0.0]
    monkeypatch.setattr("tenancy.stores.aws.secrets.time.monotonic", lambda: seconds[0])
    create_secret("database", "first")
    assert secrets.get_secret("database") == "first"
    boto3.client("secretsmanager", region_name=REGION).put_secret_value(
        SecretId="tenancy/test/database", SecretString="second"
    )

    seconds[0] += SECRET_RETRY_SECONDS
    at_once = secrets.get_fresh_secret("database")
    seconds[0] += 1

    assert (at_once, secrets.get_secret("database")) == ("first", "first")
    assert (secrets.get_fresh_secret("database"), secrets.get_secret("database")) == ("second", "second")


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_throttled_call_is_unavailable(closing_client: AwsClient, code: str) -> None:
    with pytest.raises(UnavailableError, match="throttles"):
        closing_client.call(f"{code}.400", {})
