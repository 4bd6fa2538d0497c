"""Faults that no metric of AWS shows are counted by the functions themselves."""

import json

import pytest

from tenancy.errors import UnavailableError
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.stores.aws.secrets import AUTHORIZER_DATABASE, CLICKHOUSE
from tests.handlers.functions import PutSecret, Start
from tests.handlers.requests import sample, to_authorizer
from tests.handlers.scheduled_sweep import EVERY_MINUTE


def counted(capsys: pytest.CaptureFixture[str], name: str) -> list[float]:
    """Return the values of a metric that were printed since the last call."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return [line[name][0] for line in lines if name in line]


@pytest.fixture
def secret_key() -> dict[str, object]:
    return dict(to_authorizer(f"Bearer {generate_key(KeyType.SECRET).text}"))


def test_authorizer_counts_an_unreachable_database(
    start: Start,
    put_secret: PutSecret,
    nowhere: str,
    secret_key: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_secret(AUTHORIZER_DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")

    with pytest.raises(UnavailableError):
        start("authorizer")(secret_key)

    assert counted(capsys, "AuthorizerFault") == [1]


def test_authorizer_counts_an_unreachable_secrets_manager(
    start: Start, nowhere: str, secret_key: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnavailableError):
        start("authorizer", AWS_ENDPOINT_URL=f"http://{nowhere}")(secret_key)

    assert counted(capsys, "AuthorizerFault") == [1]


REFUSED: dict[str, object] = {
    "unknown key": to_authorizer(f"Bearer {generate_key(KeyType.SECRET).text}"),
    "malformed credential": to_authorizer("Bearer x"),
    "no credential": to_authorizer(""),
    "no request": {},
    "null": None,
    "a list": [],
}


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("name", REFUSED)
def test_refused_credential_is_counted_and_no_fault(
    name: str, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    authorizer = start("authorizer")
    capsys.readouterr()

    with pytest.raises(authorizer.app.UnauthorizedError):
        authorizer.app.handler(REFUSED[name], None)

    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert set(line) == {"_aws", "service", "CredentialRefused"}
    assert line["CredentialRefused"] == [1]


@pytest.mark.usefixtures("secrets")
def test_sweep_counts_no_refusal_and_no_fault_of_the_authorizer(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """An alarm subtracts these metrics. Without a number the difference would be missing."""
    start("sweep")(EVERY_MINUTE)

    printed = capsys.readouterr().out
    assert '"AuthorizerFault":[0.0]' in printed
    assert '"CredentialRefused":[0.0]' in printed


def test_load_counts_the_messages_that_it_gives_back(
    start: Start, put_secret: PutSecret, nowhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secret(CLICKHOUSE, f"http://{nowhere}/default")
    request = sample("load", "frames")

    given_back = start("load")(request)["batchItemFailures"]

    assert counted(capsys, "EventsNotLoaded") == [len(given_back)] == [len(request["Records"])]


@pytest.mark.usefixtures("secrets")
def test_load_counts_nothing_if_all_is_stored(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start("load")(sample("load", "frames"))

    assert counted(capsys, "EventsNotLoaded") == []


@pytest.mark.usefixtures("secrets")
def test_record_counts_the_messages_that_it_gives_back(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    request = sample("record", "records")
    bad = {**request["Records"][0], "messageId": "bad", "body": "no record"}

    start("record")({"Records": [bad, *request["Records"]]})

    assert counted(capsys, "RecordsNotWritten") == [1]
