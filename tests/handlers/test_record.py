"""The record function writes audit records from SQS, and returns invalid messages."""

import psycopg
import pytest

from tenancy.errors import UnavailableError
from tenancy.stores.aws.secrets import PLATFORM_DATABASE
from tests.given import Databases
from tests.handlers.functions import Function, PutSecret, Start
from tests.handlers.requests import sample


@pytest.fixture
def record(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("record")


def count(databases: Databases, table: str) -> int:
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name) as conn:
        row = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_reads_and_refusals_are_recorded_once(record: Function, databases: Databases) -> None:
    for _ in range(2):
        assert record(sample("record", "records")) == {"batchItemFailures": []}

    assert (count(databases, "audit_log"), count(databases, "audit_people")) == (1, 1)
    assert count(databases, "audit_refusals") == 2


def test_only_an_invalid_message_is_returned_to_sqs(record: Function, databases: Databases) -> None:
    request = sample("record", "records")
    bad = {**request["Records"][0], "messageId": "bad", "body": '{"organization_id": 1}'}

    assert record({"Records": [bad, *request["Records"]]}) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert count(databases, "audit_log") == 1


def test_batch_fails_if_the_database_is_unreachable(start: Start, put_secret: PutSecret, nowhere: str) -> None:
    put_secret(PLATFORM_DATABASE, f"postgresql://{nowhere}/x")
    with pytest.raises(UnavailableError):
        start("record")(sample("record", "records"))
