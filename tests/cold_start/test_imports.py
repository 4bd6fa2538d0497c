"""What a function on the hot path imports before its first request, by name: what is not imported costs no start."""

import json
import os
import subprocess
import sys

import pytest

from tenancy.settings import VARIABLES
from tests.given import ROOT

PROGRAM = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("app", sys.argv[1])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules} | set(sys.modules))))
"""
NOBODY = {"moto", "pytest", "ministack", "chdb"}
JUDGES_PASSWORDS = {"provision"}
UNUSED = {
    "authorizer": {
        "boto3",
        "botocore.session",
        "pydantic",
        "clickhouse_connect",
        "argon2",
        "zstandard",
        "urllib3",
        "requests",
    },
    "ingest": {
        "boto3",
        "botocore.session",
        "pydantic",
        "clickhouse_connect",
        "psycopg",
        "argon2",
        "jwt",
    },
    "load": {"boto3", "botocore.session", "pydantic", "psycopg", "argon2", "jwt"},
    "health": {"boto3", "botocore.session", "pydantic", "clickhouse_connect", "psycopg", "argon2", "jwt", "awscrt"},
}


@pytest.mark.parametrize("function", sorted(path.parent.name for path in ROOT.glob("functions/*/app.py")))
def test_a_function_imports_no_driver_that_it_does_not_use(function: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "layers/tenancy"),
        **dict.fromkeys(VARIABLES, "1"),
        "AWS_REGION": "eu-central-1",
    }
    app = ROOT / "functions" / function / "app.py"
    command = [sys.executable, "-c", PROGRAM, str(app)]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    imported = set(json.loads(printed))
    assert imported.isdisjoint(UNUSED.get(function, set()) | NOBODY)
    assert function in JUDGES_PASSWORDS or "zxcvbn" not in imported  # its dictionaries
    if function in UNUSED:
        assert "aws_lambda_powertools.event_handler" not in imported
