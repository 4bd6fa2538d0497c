"""The searches of the proof find each kind of secret in each kind of place."""

import base64
import json
from collections.abc import Callable, Iterator
from uuid import UUID

import boto3
import psycopg
import pytest
import redis

from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.rules.people.opaque_tokens import TokenType, generate_token
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import PASSWORD, REGION, AwsAccount, Databases
from tests.handlers.functions import superuser
from tests.isolation.proof.canaries import Canaries
from tests.isolation.proof.leaks.answers import SHOWN_SECRETS, AnswerInspector
from tests.isolation.proof.leaks.buckets import objects_in
from tests.isolation.proof.leaks.mails import leaks_in_mails
from tests.isolation.proof.leaks.output import leaks_in_output
from tests.isolation.proof.leaks.queues import secrets_in_message
from tests.isolation.proof.leaks.secrets import PASSWORDS, SECRET_FORMS, kinds_of_secrets_in, secrets_in_places
from tests.isolation.proof.leaks.stores import record_written_rows, texts_in_redis, texts_in_tables, texts_written

ACME = UUID(int=1, version=4)
SIGNED = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg": "ES256"}', b'{"sub": "x"}')
)
SECRETS = {
    "an API key": generate_key(KeyType.SECRET).text,
    "a refresh token": generate_token(TokenType.REFRESH, ACME).text,
    "a one-time token": generate_token(TokenType.ONE_TIME, ACME).text,
    "an access token": f"{SIGNED}.signature",
    "a password": PASSWORD,
}
CREATE_PLACES = "CREATE TABLE places (text text, json jsonb, bytes bytea)"
INSERT_TOKEN = """
    INSERT INTO one_time_tokens (organization_id, id, user_id, purpose, digest, created_at, expires_at)
    VALUES (%(organization)s, %(organization)s, %(user)s, 'invitation', %(digest)s, now(), now() + interval '1 day')
"""

ADDRESS = "admin@acme.example"  # of acme's administrator

every_secret = pytest.mark.parametrize("kind", SECRETS)


@pytest.fixture
def places(databases: Databases) -> Iterator[psycopg.Connection]:
    """Connect to a database with a table of which the search has not been told."""
    with superuser(databases) as conn:
        conn.execute(CREATE_PLACES)
        yield conn


@pytest.fixture
def mailed(databases: Databases, acme: Provisioned) -> str:
    """Return a one-time token of the administrator of acme."""
    token = generate_token(TokenType.ONE_TIME, acme.organization.id)
    values = {"organization": acme.organization.id, "user": acme.admin_user_id, "digest": token.digest}
    with superuser(databases) as conn:
        conn.execute(INSERT_TOKEN, values)
    return token.text


def test_every_kind_of_secret_is_tried() -> None:
    assert set(SECRETS) == set(SECRET_FORMS)


def test_passwords_of_samples_are_known() -> None:
    assert {PASSWORD, "seventeen purple bicycles"} <= set(PASSWORDS)


@every_secret
@pytest.mark.parametrize("column", ["text", "json", "bytes"])
def test_secret_in_a_column_is_found(places: psycopg.Connection, column: str, kind: str) -> None:
    values = {"text": SECRETS[kind], "json": json.dumps({"inner": [SECRETS[kind]]}), "bytes": SECRETS[kind].encode()}
    places.execute(f"INSERT INTO places ({column}) VALUES (%s)".encode(), (values[column],))

    found = secrets_in_places(texts_in_tables(places))

    assert found == [f'PostgreSQL "public"."places".{column} shows {kind}']


@every_secret
def test_secret_in_a_row_that_was_deleted_is_found(places: psycopg.Connection, kind: str) -> None:
    record_written_rows(places)
    places.execute("INSERT INTO places (text) VALUES (%s)", (SECRETS[kind],))
    places.execute("DELETE FROM places")

    found = secrets_in_places(texts_written(places))

    assert found == [f"PostgreSQL places.text, as written shows {kind}"]


def test_secret_that_was_overwritten_is_found(places: psycopg.Connection) -> None:
    places.execute("INSERT INTO places VALUES ('none')")
    record_written_rows(places)
    places.execute("UPDATE places SET text = %s", (PASSWORD,))
    places.execute("UPDATE places SET text = 'none'")

    found = secrets_in_places(texts_written(places))

    assert found == ["PostgreSQL places.text, as written shows a password"]


@every_secret
def test_secret_in_redis_is_found(databases: Databases, kind: str) -> None:
    with redis.Redis.from_url(databases.servers.valkey_url) as client:
        client.hset(f"{{{ACME}}}:value", "field", SECRETS[kind])
        client.hset(f"{{{ACME}}}:{SECRETS[kind]}", "field", "value")

        found = secrets_in_places(texts_in_redis(databases))

        client.delete(f"{{{ACME}}}:value", f"{{{ACME}}}:{SECRETS[kind]}")
    assert found == sorted([f"Redis :value shows {kind}", f"Redis :{SECRETS[kind]} shows {kind}"])


@every_secret
def test_secret_in_a_log_line_is_found(kind: str) -> None:
    line = json.dumps({"message": f"The value is {SECRETS[kind]}."})

    found = leaks_in_output([line], Canaries(), None)

    assert f"a log line shows {kind}" in found


@every_secret
def test_secret_in_a_message_is_found(kind: str) -> None:
    body = json.dumps({"organization_id": str(ACME), "record": {"target": SECRETS[kind]}})

    found = list(secrets_in_message({"messageAttributes": {}, "body": body}))

    assert found == [f"a message shows {kind}"]


@every_secret
def test_secret_in_an_object_is_found(aws: AwsAccount, kind: str) -> None:
    s3 = boto3.client("s3", region_name=REGION)
    s3.put_object(Bucket=aws.exports_bucket, Key=f"{ACME}/1", Body=SECRETS[kind].encode())

    found = secrets_in_places(objects_in({"ExportsBucket": aws.exports_bucket}).items())

    assert found == [f"{aws.exports_bucket}/{ACME}/1 shows {kind}"]


@every_secret
@pytest.mark.parametrize(
    "encode", [lambda text: text.encode().hex(), lambda text: base64.b64encode(text.encode()).decode()]
)
def test_encoded_secret_is_found(encode: Callable[[str], str], kind: str) -> None:
    assert kind in kinds_of_secrets_in(f"value={encode(SECRETS[kind])}.")


@every_secret
def test_digest_of_a_secret_is_none(kind: str) -> None:
    digest = generate_key(KeyType.SECRET).digest

    assert kinds_of_secrets_in(f"{digest.hex()} {base64.b64encode(digest).decode()}") == []
    assert kinds_of_secrets_in(SECRETS[kind][:8]) == []


@pytest.mark.parametrize("length", [86, 85])  # that of a signature, and another one
def test_signature_of_a_token_is_no_key(length: int) -> None:
    signature = SECRETS["an API key"].ljust(length, "x")

    found = kinds_of_secrets_in(f"{SIGNED}.{signature}")

    assert found == (["an access token"] if length == 86 else ["an API key", "an access token"])


def test_mail_to_the_tokens_member_is_no_leak(databases: Databases, acme: Provisioned, mailed: str) -> None:
    with superuser(databases) as conn:
        found = leaks_in_mails(conn, [((acme.admin_email,), mailed)])

    assert found == []


@pytest.mark.parametrize("addresses", [("eve@acme.example",), (ADDRESS, "eve@acme.example"), ()])
def test_token_in_a_mail_of_another_address_is_found(
    databases: Databases, mailed: str, addresses: tuple[str, ...]
) -> None:
    with superuser(databases) as conn:
        found = leaks_in_mails(conn, [(addresses, mailed)])

    assert found == ["a mail shows the one-time token of another address"]


def test_unknown_token_in_a_mail_is_found(databases: Databases, acme: Provisioned) -> None:
    unknown = generate_token(TokenType.ONE_TIME, acme.organization.id).text

    with superuser(databases) as conn:
        found = leaks_in_mails(conn, [((acme.admin_email,), unknown)])

    assert found == ["a mail shows the one-time token of another address"]


def test_token_in_two_mails_is_found(databases: Databases, acme: Provisioned, mailed: str) -> None:
    with superuser(databases) as conn:
        found = leaks_in_mails(conn, [((acme.admin_email,), mailed)] * 2)

    assert found == ["two mails show the same one-time token"]


@pytest.mark.parametrize("kind", sorted(set(SECRETS) - {"a one-time token"}))
def test_other_secret_in_a_mail_is_found(databases: Databases, kind: str) -> None:
    with superuser(databases) as conn:
        found = leaks_in_mails(conn, [((ADDRESS,), SECRETS[kind])])

    assert found == [f"a mail shows {kind}"]


@every_secret
def test_secret_in_an_answer_of_another_route_is_found(kind: str) -> None:
    answers = AnswerInspector()

    answers.check("GET /usage", SECRETS[kind], is_success=True, is_repeatable=False)

    assert answers.leaks == {f"GET /usage: the answer shows {kind}"}


@every_secret
@pytest.mark.parametrize("route", sorted(SHOWN_SECRETS))
def test_secret_in_a_refusal_is_found(route: str, kind: str) -> None:
    answers = AnswerInspector()

    answers.check(route, SECRETS[kind], is_success=False, is_repeatable=False)

    assert answers.leaks == {f"{route}: the answer shows {kind}"}


@pytest.mark.parametrize(("first", "is_repeatable"), [("POST /keys", False), ("POST /apps", True)])
def test_secret_of_an_earlier_answer_is_found(first: str, *, is_repeatable: bool) -> None:
    answers = AnswerInspector()
    answers.check(first, SECRETS["an API key"], is_success=True, is_repeatable=True)

    answers.check("POST /keys", SECRETS["an API key"], is_success=True, is_repeatable=is_repeatable)

    assert answers.leaks == {"POST /keys: the answer shows an API key that an earlier answer gave out"}


def test_repeated_answer_is_no_leak() -> None:
    answers = AnswerInspector()

    for _ in range(2):
        answers.check("POST /keys", SECRETS["an API key"], is_success=True, is_repeatable=True)

    assert answers.leaks == set()
