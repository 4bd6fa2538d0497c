"""`sam local`: the documented lines find their files, and `make test-sam` judges answers."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from samcli.lib.providers.api_provider import ApiProvider  # type: ignore[import-untyped]  # ships no types
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider  # type: ignore[import-untyped]  # the same

from scripts import build, sam_local
from scripts.stack.deployment import function_ids
from scripts.template import read_template

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTED = re.compile(r"^ +(?:\S+/)?sam local invoke (\w+) -e (\S+)", re.MULTILINE)
TEMPLATE: dict[str, Any] = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Api": {
            "Type": "AWS::Serverless::Api",
            "Properties": {
                "StageName": "v1",
                "Auth": {
                    "DefaultAuthorizer": "Credential",
                    "Authorizers": {
                        "Credential": {
                            "FunctionArn": {"Fn::GetAtt": ["Usage", "Arn"]},
                            "FunctionPayloadType": "REQUEST",
                            "Identity": {"Headers": ["Authorization"]},
                        }
                    },
                },
            },
        },
        "Usage": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": "Usage",
                "Handler": "app.handler",
                "Runtime": "python3.13",
                "Events": {
                    "Read": {
                        "Type": "Api",
                        "Properties": {"RestApiId": {"Ref": "Api"}, "Path": "/usage", "Method": "GET"},
                    },
                    "ReadPreflight": {
                        "Type": "Api",
                        "Properties": {
                            "RestApiId": {"Ref": "Api"},
                            "Path": "/usage",
                            "Method": "OPTIONS",
                            "Auth": {"Authorizer": "NONE"},
                        },
                    },
                },
            },
        },
    },
}


def local_routes(template: Path) -> list[tuple[str, list[str], str | None]]:
    """Return path, methods and authorizer of the routes that `sam local start-api` would serve."""
    stacks, _ = SamLocalStackProvider.get_stacks(
        str(template), global_parameter_overrides={"AWS::Region": "eu-central-1"}
    )
    return [(route.path, sorted(route.methods), route.authorizer_name) for route in ApiProvider(stacks).api.routes]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside SAM CLI
def test_start_api_keeps_the_authorizer_beside_a_preflight(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(yaml.safe_dump(TEMPLATE), encoding="utf-8")

    build.write_start_api_template(tmp_path)

    assert local_routes(tmp_path / "start-api.yaml") == [("/usage", ["GET"], "Credential")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside SAM CLI
def test_start_api_authorizes_each_route_with_a_credential(tmp_path: Path) -> None:
    """SAM CLI skips an authorizer that it does not understand, with a warning.

    It gives all methods of a path the authorizer of one, so a path with a public method may have none.
    """
    (tmp_path / "template.yaml").write_text(yaml.safe_dump(read_template(ROOT / "template.yaml")), encoding="utf-8")
    (tmp_path / "stacks").symlink_to(ROOT / "stacks")
    routes = [
        event["Properties"]
        for resource in read_template(ROOT / "template.yaml")["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "Api"
    ]

    build.write_start_api_template(tmp_path)

    authorized = {
        path for path, _, authorizer in local_routes(tmp_path / "start-api.yaml") if authorizer == "Credential"
    }
    public = {each["Path"] for each in routes if "Auth" in each and each["Method"] != "OPTIONS"}
    assert authorized - public == {each["Path"] for each in routes if "Auth" not in each} - public


def test_configuration_names_files_that_make_up_writes() -> None:
    configuration = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))["local"]

    invoke, start_api = (configuration[f"local_{name}"]["parameters"] for name in ("invoke", "start_api"))

    assert invoke["template_file"] == ".local/build/template.yaml"
    assert start_api["template_file"] == ".local/build/start-api.yaml"
    assert invoke["env_vars"] == start_api["env_vars"] == ".local/env.json"


def test_documented_lines_name_functions_and_samples() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

    lines = DOCUMENTED.findall(text)

    assert lines
    for function, sample in lines:
        assert sam_local.command(function)[1:4] == ["local", "invoke", function]
        assert function_ids(ROOT)[(ROOT / sample).parent.name] == function
        assert (ROOT / sample).is_file()


def test_samples_are_those_of_functions_in_the_template() -> None:
    folders = {sample.parent.name for sample in (ROOT / "events").glob("*/*.json")}

    assert folders <= set(function_ids(ROOT))
    assert set(function_ids(ROOT)) == {path.parent.name for path in ROOT.glob("functions/*/app.py")}


def test_sample_of_a_queue_names_that_of_the_stack() -> None:
    url = "http://host.docker.internal:4566/000000000000/tenancy-local-DeadLetters-42B3"

    event = sam_local.with_queues('{"eventSourceARN": "arn:aws:sqs:x:1:dead-letters"}', {"DEAD_LETTERS_URL": url})

    assert json.loads(event) == {"eventSourceARN": "arn:aws:sqs:x:1:tenancy-local-DeadLetters-42B3"}


def test_missing_docker_engine_is_one_line(tmp_path: Path) -> None:
    environ = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}

    done = subprocess.run(
        [sys.executable, "-m", "scripts.sam_local"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(
        "No Docker engine answers, and sam local needs one: start Docker, or set DOCKER_HOST."
    )


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"statusCode": 200}, "answered 200"),
        ({"statusCode": 401}, "answered 401"),
        ({"batchItemFailures": []}, "done"),
        ({"errorMessage": "Unauthorized", "errorType": "Exception"}, "refused"),
        ({"errorMessage": "", "errorType": "OvertakenError"}, "refused"),
    ],
)
def test_answer_of_the_function_passes(answer: dict[str, Any], verdict: str) -> None:
    judged = sam_local.judge(json.dumps(answer))

    assert judged == verdict


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"statusCode": 502}),
        json.dumps({"errorMessage": "No module named 'psycopg'", "errorType": "Runtime.ImportModuleError"}),
        "Function timed out",
    ],
)
def test_fault_of_the_function_fails(answer: str) -> None:
    judged = sam_local.judge(answer)

    assert judged == f"failed: {answer}"
