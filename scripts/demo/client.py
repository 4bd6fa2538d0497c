"""The calls of the demo: the API as operator or organization, and the stores behind it."""

import json
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import boto3
import clickhouse_connect

ROOT: Final = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS: Final = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The part of .local/stack.json that the demo needs."""

    api_url: str
    console_url: str
    platform_key: str
    clickhouse_url: str
    aws_endpoint_url: str
    mailbox_url: str
    region: str
    stack_name: str

    @classmethod
    def load(cls, folder: Path | None = None) -> "Stack":
        """Read the contract file that `make up` wrote into *folder*, by default this checkout's."""
        folder = folder or ROOT / os.environ.get("STACK_DIR", ".local")
        contract = json.loads((folder / "stack.json").read_text())
        return cls(**{name: contract[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOrganization:
    """A provisioned organization, its keys, and the password of its administrator."""

    name: str
    subdomain: str
    id: str
    write_key: str
    secret_key: str
    admin_email: str
    admin_password: str


def provision(stack: Stack, name: str, tier: str, run: str) -> DemoOrganization:
    """Provision an organization over the API, as the platform's operator."""
    new = {
        "name": name,
        "subdomain": f"{name}-{run}",
        "admin_email": f"admin@{name}.example",
        "admin_password": secrets.token_urlsafe(),
        "tier": tier,
    }
    made = call(f"{stack.api_url}/organizations", stack.platform_key, body=new)
    return DemoOrganization(
        name=name,
        subdomain=new["subdomain"],
        id=made["organization"]["id"],
        write_key=made["write_key"],
        secret_key=made["secret_key"],
        admin_email=new["admin_email"],
        admin_password=new["admin_password"],
    )


def get(stack: Stack, organization: DemoOrganization, path: str, headers: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
    """GET *path* with the organization's secret key."""
    return call(f"{stack.api_url}{path}", organization.secret_key, headers=headers)


def call(
    url: str,
    credential: str | None,
    *,
    body: object = None,
    headers: dict[str, str] | None = None,
    method: str | None = None,
) -> Any:  # noqa: ANN401 - JSON
    """Call the API with *method*: by default GET, or POST with a *body*.

    A public route needs no *credential*.

    Raises:
        urllib.error.HTTPError: the API refused.
    """
    authorization = {} if credential is None else {"Authorization": f"Bearer {credential}"}
    request = urllib.request.Request(  # noqa: S310 - the stack's own URL
        url,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Content-Type": "application/json", **authorization, **(headers or {})},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
        return json.load(response)


def refusal(attempt: Callable[[], object]) -> str:
    """Return the code of the API's refusal of *attempt*."""
    try:
        attempt()
    except urllib.error.HTTPError as error:
        with error:
            return str(json.load(error)["code"])
    return "not refused"


def count_stored(stack: Stack, organization: DemoOrganization) -> int:
    """Return the number of different events of the organization in ClickHouse."""
    client = clickhouse_connect.get_client(dsn=stack.clickhouse_url)
    statement = "SELECT count() FROM events FINAL WHERE organization_id = {organization_id:UUID}"
    return int(client.query(statement, parameters={"organization_id": organization.id}).result_rows[0][0])


def roll_up(stack: Stack) -> None:
    """Invoke the deployed function that the schedule calls every hour."""
    invoke(stack, "RollUp")


def invoke(stack: Stack, logical_id: str) -> None:
    """Invoke a deployed function that a schedule calls.

    Raises:
        RuntimeError: it failed.
    """
    answer = aws_client(stack, "lambda").invoke(FunctionName=find_resource(stack, logical_id), Payload=b"{}")
    if "FunctionError" in answer:
        raise RuntimeError(f"{logical_id} failed: {answer['Payload'].read().decode()}")


@cache
def find_resource(stack: Stack, logical_id: str) -> str:
    """Return the physical id of a resource of the template."""
    found = aws_client(stack, "cloudformation").describe_stack_resource(
        StackName=stack.stack_name, LogicalResourceId=logical_id
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


@cache
def aws_client(stack: Stack, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """Return a client of the local AWS."""
    make: Any = boto3.Session(region_name=stack.region, aws_access_key_id="test", aws_secret_access_key="test").client  # noqa: S106
    return make(service, endpoint_url=stack.aws_endpoint_url)


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"demo: {line}", flush=True)
