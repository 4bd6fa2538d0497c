"""Run functions as Lambda does: app.py, the template's variables, one event after another."""

import functools
import importlib.util
import inspect
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import psycopg
import pytest
from clickhouse_connect.driver.client import Client

from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.rules.tenant import Operator
from tenancy.settings import OPTIONAL
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import RoutedDatabases
from tenancy.stores.redis.client import Redis
from tests.given import ROOT, Databases
from tests.handlers.documented import check_documented
from tests.recorded_calls import Caller, caller_of, calls_of
from tests.template.template import TEMPLATE

PREFIX = "tenancy/test"
BASE_DOMAIN = "attribution.example"
API_HOST = "sdk.attribution.example"
ISSUER = f"https://api.{BASE_DOMAIN}"
OPERATORS_GATEWAY_KEY = "platform-tenancy-test-of-the-operators"
NUMBERS = itertools.count()
WITHOUT_VALUE = OPTIONAL | {"AWS_ENDPOINT_URL", "PGSSLROOTCERT", "POWERTOOLS_SERVICE_NAME"}
UNUSED_VALUE = "1"  # of variables that the test does not set

type Start = Callable[..., Function]
type PutSecret = Callable[[str, str], None]
type LogLines = Callable[[], list[dict[str, Any]]]
type Mails = Callable[[], list[tuple[str, str]]]


class Function:
    """One loaded function, called with an event. Answers are compared with the OpenAPI document."""

    def __init__(self, caller: Caller, app: ModuleType) -> None:
        self.caller = caller
        self._context = SimpleNamespace(
            function_name=caller.function,
            aws_request_id="a0b1c2d3",
            memory_limit_in_mb=512,
            get_remaining_time_in_millis=lambda: 9999,
        )
        self.app = app

    def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.respond(event)
        if isinstance(event, Mapping) and "httpMethod" in event and "statusCode" in answer:
            check_documented(event, answer)
        return answer

    def respond(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer without the comparison: for stored rows that no function writes, and for measurements."""
        with calls_of(self.caller):
            answer: dict[str, Any] = self.app.handler(event, self._context)
        return answer


def superuser(databases: Databases) -> psycopg.Connection:
    """Connect as a superuser, past all policies."""
    return psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True)


def insert_operator(conn: psycopg.Connection, operator: Operator) -> None:
    """Store a platform key with the id of *operator*. Its text is thrown away."""
    conn.execute(
        "INSERT INTO platform_keys (id, name, digest) VALUES (%s, 'Operator', %s)",
        (operator.credential_id, generate_key(KeyType.PLATFORM).digest),
    )


def template_variables(name: str) -> set[str]:
    """Return the names of the variables that the template sets for a function."""
    functions = [entry["Properties"] for entry in TEMPLATE["Resources"].values() if "CodeUri" in entry["Properties"]]
    [entry] = [entry for entry in functions if entry["CodeUri"] == f"functions/{name}"]
    everywhere = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    return set(everywhere) | set(entry.get("Environment", {}).get("Variables", {}))


def asks_for_admission(name: str) -> bool:
    """Tell whether a function has the variable of admissions with Redis."""
    return "REDIS_PATIENCE_MS" in template_variables(name)


@contextmanager
def running(name: str, values: Mapping[str, str]) -> Iterator[Function]:
    """Load a function anew with the template's variables, and close its connections afterwards."""
    module_name = f"function_{name}_{next(NUMBERS)}"
    spec = importlib.util.spec_from_file_location(module_name, ROOT / "functions" / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    app = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for variable in values:
            patch.delenv(variable, raising=False)
        for variable in template_variables(name):
            if variable in values or variable not in WITHOUT_VALUE:
                patch.setenv(variable, values.get(variable, UNUSED_VALUE))
        sys.modules[module_name] = app
        caller = caller_of(name, os.environ)
        with calls_of(caller):
            spec.loader.exec_module(app)
    try:
        yield Function(caller, app)
    finally:
        for value in list(vars(app).values()):
            close_resources(value)
        del sys.modules[module_name]


def close_resources(value: object) -> None:
    """Close the connections of *value*, and of all that it holds."""
    if isinstance(value, functools._lru_cache_wrapper) and value.cache_info().currsize and not parameters_of(value):
        value = value()  # made at the first request and kept for the life of the process
    if isinstance(value, Database | RoutedDatabases | Client | Redis):
        value.close()
    elif isinstance(value, functools.partial):
        for inner in value.keywords.values():
            close_resources(inner)
    elif isinstance(value, AwsClient):
        value._connection.close()
    elif type(value).__module__.startswith("tenancy.") and hasattr(value, "__dict__"):
        for inner in vars(value).values():
            close_resources(inner)
    elif type(value).__module__.startswith("tenancy.") and is_dataclass(value):
        for each in fields(value):
            close_resources(getattr(value, each.name, None))  # settings have only the variables that the function named


def parameters_of(function: Callable[..., object]) -> list[str]:
    return list(inspect.signature(function).parameters)
