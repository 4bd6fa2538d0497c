"""A record of the AWS calls of functions while tests run.

A function under test runs in the test's own process. boto3's event before each request and the connection of
`AwsClient` report its calls. The bridge (scripts/stack/bridge/calls.py) records the calls of the deployed stack.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest

from scripts.stack.bridge.permissions import Permission, parse_signed, permissions_of
from tenancy.stores.aws import export_links
from tenancy.stores.aws.connection import Connection
from tests.template.template import FUNCTIONS, TEMPLATE

UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Function, action and resource, which is named as in the template.
type Call = tuple[str, str, str]

CALLS: set[Call] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A function, and the names of its resources: those of the template by those of its variables' values."""

    function: str
    names: Mapping[str, str]

    def named(self, permission: Permission) -> Call:
        """Return *permission* with the template's names."""
        action, resource = permission
        service, _, rest = resource.partition(":")
        for name, logical in self.names.items():
            rest = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", logical, rest)
        bucket, *_ = rest.partition("/")
        if service == "s3" and f"{bucket}Bucket" in TEMPLATE["Resources"]:  # the tests' own bucket has a queue's name
            rest = rest.replace(bucket, f"{bucket}Bucket", 1)
        return self.function, action, f"{service}:{UUID_TEXT.sub('<id>', rest)}"


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)
_started: list[Caller] = []  # for calls in threads of a function, which have no context of their own


def caller_of(function: str, values: Mapping[str, str]) -> Caller:
    """Return the function with the *values* of its variables."""
    names = {}
    for variable, logical in _resources_of(function).items():
        value = values.get(variable, "")
        is_path = value.startswith(("http:", "https:"))
        name = value.rpartition("/")[2] if is_path else value.rpartition(":")[2] if value.startswith("arn:") else value
        if logical.endswith(".Alias"):  # `arn:aws:lambda:<region>:<account>:function:<name>:live`
            name = value.removesuffix(":live").rpartition(":")[2]
        if name and not name.isdigit():  # not a number of seconds
            names[name] = logical.removesuffix(".Alias")
    return Caller(function=function, names=dict(sorted(names.items(), key=lambda item: -len(item[0]))))


def plain_name(name: str) -> str:
    """Return the name of a resource or parameter without the separator of ARNs (`AWS::StackName`)."""
    return name.replace("::", "-")


@cache
def _resources_of(function: str) -> dict[str, str]:
    """Return the resource or parameter that each variable of *function* names."""
    everywhere = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    variables = {**everywhere, **FUNCTIONS[function].get("Environment", {}).get("Variables", {})}
    return {
        name: plain_name(value["Ref"])
        for name, value in variables.items()
        if isinstance(value, dict) and "Ref" in value
    }


@contextmanager
def calls_of(caller: Caller) -> Iterator[None]:
    """Record the calls within the block as those of *caller*."""
    token = _caller.set(caller)
    _started.append(caller)
    try:
        yield
    finally:
        _started.remove(caller)
        _caller.reset(token)


def record_calls() -> None:
    """Record from now on, in this process."""
    session: Any = boto3._get_default_session()
    session.events.register("before-send", _record_of_boto)
    post = Connection.post

    def recording_post(
        self: Connection, header_lines: str, body: bytes, path: str = "/", *, method: str = "POST"
    ) -> tuple[int, bytes]:
        lines = (line.partition(": ") for line in header_lines.splitlines())
        _record(method, path, {name.lower(): value for name, _, value in lines}, body)
        return post(self, header_lines, body, path, method=method)

    Connection.post = recording_post  # type: ignore[method-assign]
    links: Any = export_links
    presign = links.presign_get

    def recording_presign(path: str, *values: Any, **options: Any) -> str:  # noqa: ANN401 - passes them on
        signed: str = presign(path, *values, **options)
        _record("GET", signed, {}, b"")
        return signed

    links.presign_get = recording_presign


def _record_of_boto(request: AWSPreparedRequest, **_: object) -> None:
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    _record(request.method, request.url, headers, body)


def _record(method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
    caller = _caller.get() or (_started[-1] if _started else None)
    if caller is None:
        return
    request = parse_signed(method, url, headers, body)
    if request is not None:
        CALLS.update(caller.named(permission) for permission in permissions_of(request))
