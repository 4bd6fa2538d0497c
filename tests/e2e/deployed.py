"""A client of the deployed stack: calls over HTTP, and what its stores hold."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3
import clickhouse_connect

LOAD_SECONDS = 90.0
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    api_url: str
    platform_key: str
    clickhouse_url: str
    aws_endpoint_url: str
    mailbox_url: str
    region: str
    stack_name: str

    @classmethod
    def load(cls, file: Path) -> Self:
        contract = json.loads(file.read_text())
        return cls(**{name: contract[name] for name in cls.__dataclass_fields__})

    def invoke(self, logical_id: str) -> dict[str, Any]:
        """Invoke a deployed function that is no handler of the API."""
        client = self.session().client("lambda", endpoint_url=self.aws_endpoint_url)
        answer = client.invoke(FunctionName=self.physical_id(logical_id), Payload=b"{}")
        document: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, document
        return document

    def session(self) -> boto3.Session:
        return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=self.region)

    def physical_id(self, logical_id: str) -> str:
        """Return what the template's resource is called in the deployed stack."""
        stacks = self.session().client("cloudformation", endpoint_url=self.aws_endpoint_url)
        found = stacks.describe_stack_resource(StackName=self.stack_name, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def mail(self) -> list[dict[str, Any]]:
        """Return what SES has sent."""
        with urllib.request.urlopen(self.mailbox_url, timeout=10) as response:
            document = json.load(response)
        return [message for account in document["messages"].values() for message in account]

    def stored(self, organization_id: str, *, where: str = "1", table: str = "events") -> int:
        """Count different events in ClickHouse."""
        client = clickhouse_connect.get_client(dsn=self.clickhouse_url)
        statement = f"SELECT count() FROM {table} FINAL WHERE organization_id = {{id:UUID}} AND {where}"
        try:
            return int(client.query(statement, parameters={"id": organization_id}).result_rows[0][0])
        finally:
            client.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    id: str
    subdomain: str
    write_key: str
    secret_key: str

    @classmethod
    def of(cls, made: Mapping[str, Any]) -> Self:
        return cls(
            id=made["organization"]["id"],
            subdomain=made["organization"]["subdomain"],
            write_key=made["write_key"],
            secret_key=made["secret_key"],
        )


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    document: Any


class Api:
    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, credential: str | None, headers: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", path, credential, headers=headers)

    def post(
        self, path: str, credential: str | None, document: object, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self.call("POST", path, credential, body=json.dumps(document).encode(), headers=headers)

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
            response = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            text = response.read()
            kept = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, kept, json.loads(text) if text else None)


def wait_for(what: Callable[[], int], expected: int) -> int:
    """Return what *what* says, as soon as it is *expected*, or after a minute and a half."""
    deadline = time.monotonic() + LOAD_SECONDS
    while (found := what()) < expected and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return found
