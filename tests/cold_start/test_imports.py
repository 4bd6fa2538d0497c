"""The modules that a function imports before its first request.

Each import costs time at a cold start. The test compares names, because times depend on the machine.
"""

import json
import os
import subprocess
import sys

import pytest

from tenancy.settings import OPTIONAL, VARIABLES
from tests.free_ports import free_port
from tests.given import ROOT

PROGRAM = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("app", sys.argv[1])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules} | set(sys.modules))))
"""
TEST_PACKAGES = {"moto", "pytest", "ministack", "chdb", "redis"}
CHECKS_PASSWORDS = {"identity", "provision"}
CHECKS_ADDRESSES = {"identity", "members", "provision", "sso"}
BOTO3 = {"boto3", "botocore.config", "botocore.session"}
# bootstrap and token_keys call no ClickHouse. Their custom resource names the errors of migrations.
KNOWS_CLICKHOUSE = {
    "bootstrap",
    "erase",
    "held_events",
    "load",
    "migrate",
    "privacy_jobs",
    "roll_up",
    "sweep",
    "token_keys",
    "usage",
}
SENDS_MAIL = {"sweep"}
WITHOUT_BOTO3 = {
    "audit",
    "compliance",
    "delete",
    "held_events",
    "identity",
    "keys",
    "members",
    "migrate",
    "privacy",
    "record",
    "roll_up",
    "rotate_users",
    "token_keys",
    "usage",
}
UNUSED = {
    "authorizer": {
        "boto3",
        "botocore.session",
        "pydantic",
        "clickhouse_connect",
        "argon2",
        "awscrt",
        "zstandard",
        "urllib3",
        "requests",
    },
    "ingest": {
        "boto3",
        "botocore.session",
        "pydantic",
        "pydantic_core",
        "clickhouse_connect",
        "psycopg",
        "argon2",
        "awscrt",
        "jwt",
    },
    "load": {"boto3", "botocore.session", "pydantic", "psycopg", "argon2", "jwt", "awscrt"},
    "console": {"boto3", "botocore.session", "pydantic", "clickhouse_connect", "psycopg", "argon2", "jwt", "awscrt"},
    "health": {"boto3", "botocore.session", "pydantic", "clickhouse_connect", "psycopg", "argon2", "jwt", "awscrt"},
}


@pytest.mark.parametrize("function", sorted(path.parent.name for path in ROOT.glob("functions/*/app.py")))
def test_function_imports_no_unused_driver(function: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "layers/tenancy"),
        **dict.fromkeys(set(VARIABLES) - OPTIONAL, "1"),
        "AWS_REGION": "eu-central-1",
        # Functions with an admission connect to Redis when they start. Here Secrets Manager refuses the connection.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    command = [sys.executable, "-c", PROGRAM, str(ROOT / "functions" / function / "app.py")]

    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    imported = set(json.loads(printed))
    assert imported.isdisjoint(UNUSED.get(function, set()) | TEST_PACKAGES)
    assert function in CHECKS_PASSWORDS or "zxcvbn_rs_py" not in imported  # it loads dictionaries
    assert function in CHECKS_ADDRESSES or "email_validator" not in imported  # it compiles patterns of all scripts
    assert function in KNOWS_CLICKHOUSE or "clickhouse_connect" not in imported
    assert function in SENDS_MAIL or "tenancy.stores.aws.mail" not in imported
    assert function == "provision" or "tenancy.rules.reserved_subdomains" not in imported
    assert function == "sso" or imported.isdisjoint({"lxml", "signxml"})  # only its layer has them
    assert function not in WITHOUT_BOTO3 or imported.isdisjoint(BOTO3)
    if function in UNUSED:
        assert "aws_lambda_powertools.event_handler" not in imported
