"""A client of the deployed stack: calls over HTTP, and the contents of its stores."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import boto3
import clickhouse_connect
from clickhouse_connect.driver.client import Client

WAIT_SECONDS = 300.0  # only a failure waits so long
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The addresses of the deployed stack, from the file that `make up` writes."""

    api_url: str
    platform_key: str
    clickhouse_url: str
    aws_endpoint_url: str
    console_url: str
    mailbox_url: str
    region: str
    stack_name: str

    @classmethod
    def load(cls, file: Path) -> Self:
        document = json.loads(file.read_text())
        return cls(**{name: document[name] for name in cls.__dataclass_fields__})

    def invoke(self, logical_id: str, event: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Invoke a deployed function that is not behind the API, and return its result."""
        payload = json.dumps(event or {}).encode()
        answer = self.client("lambda").invoke(FunctionName=self.physical_id(logical_id), Payload=payload)
        document: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, document
        return document

    @cache  # noqa: B019 - a run has one stack. To make a client takes more processor time than a hundred calls of it.
    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """Return the client of a service of AWS."""
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=self.region)
        make: Any = session.client
        return make(service, endpoint_url=self.aws_endpoint_url)

    @cache  # noqa: B019
    def physical_id(self, logical_id: str) -> str:
        """Return the physical id of the template's resource."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName=self.stack_name, LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def mail(self) -> list[dict[str, Any]]:
        """Return the mails that SES has sent."""
        with urllib.request.urlopen(self.mailbox_url, timeout=10) as response:
            document = json.load(response)
        return [message for account in document["messages"].values() for message in account]

    def count_stored(self, organization_id: str, *, where: str = "1", table: str = "events") -> int:
        """Count the distinct events of an organization in ClickHouse."""
        with closing(clickhouse_connect.get_client(dsn=self.clickhouse_url)) as client:
            return _count(client, organization_id, where=where, table=table)

    def wait_for_stored(self, organization_id: str, events: int, *, table: str = "events") -> None:
        """Wait until ClickHouse has exactly so many *events* of an organization."""
        with closing(clickhouse_connect.get_client(dsn=self.clickhouse_url)) as client:
            assert wait_for(lambda: _count(client, organization_id, table=table), events) == events


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A provisioned organization with its keys, and the password of its administrator."""

    id: str
    subdomain: str
    app_id: str
    write_key: str
    secret_key: str
    admin_email: str
    admin_password: str

    @classmethod
    def of(cls, document: Mapping[str, Any], *, admin_password: str) -> Self:
        return cls(
            id=document["organization"]["id"],
            subdomain=document["organization"]["subdomain"],
            app_id=document["app"]["id"],
            write_key=document["write_key"],
            secret_key=document["secret_key"],
            admin_email=document["admin_user"]["email"],
            admin_password=admin_password,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API: status, headers with names in lower case, and the JSON document."""

    status: int
    headers: Mapping[str, str]
    document: Any


class Api:
    """Calls the API at *url* with bearer credentials."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, credential: str | None, headers: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", path, credential, headers=headers)

    def post(
        self, path: str, credential: str | None, document: object, headers: Mapping[str, str] | None = None
    ) -> Answer:
        body = b"" if document is None else json.dumps(document).encode()
        return self.call("POST", path, credential, body=body, headers=headers)

    def call(
        self,
        method: str,
        path: str,
        credential: str | None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        authorization = {} if credential is None else {"Authorization": f"Bearer {credential}"}
        sent = {"Content-Type": "application/json", **authorization, **(headers or {})}
        request = urllib.request.Request(f"{self.url}{path}", data=body, headers=sent, method=method)
        try:
            response = urllib.request.urlopen(request, timeout=120)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            text = response.read()
            received = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, received, json.loads(text) if text else None)


def _count(client: Client, organization_id: str, *, where: str = "1", table: str) -> int:
    statement = f"SELECT count() FROM {table} FINAL WHERE organization_id = {{id:UUID}} AND {where}"
    return int(client.query(statement, parameters={"id": organization_id}).result_rows[0][0])


def wait_for(read: Callable[[], int], expected: int) -> int:
    """Return the first value of *read* that is at least *expected*, or its value at time-out."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (value := read()) < expected and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return value


def refusal_of(answer: Answer) -> tuple[int, str]:
    """Return status and code of a refusal, which must be a problem document."""
    document = answer.document
    assert answer.headers["content-type"] == "application/problem+json"
    assert document["status"] == answer.status
    assert document["message"] == document["detail"]
    assert document["request_id"]
    return answer.status, document["code"]


def sweep(stack: Stack) -> None:
    """Run one whole sweep. The scheduled sweep may hold the lease at first."""
    wait_for(lambda: int(stack.invoke("Sweep")["ran"]), 1)
