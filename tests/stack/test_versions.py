"""Old versions of functions and layers are deleted. moto answers."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from scripts.deploy import old_versions, versions
from tests.given import REGION, AwsAccount

STACK = "acme-production"
ANOTHER = "globex-tenancy"
LONGER = f"{STACK}-eu-tenancy"  # of the stack acme-production-eu
RELEASES = [f"2026-11-2{day}T12:00:00Z" for day in range(1, 8)]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
TEMPLATE = {
    "Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Usage": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": "def handler(event, context): ..."},
            },
        },
    }
}


def archive(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("index.py", text)
    return content.getvalue()


@pytest.fixture
def function(aws: AwsAccount) -> Iterator[str]:  # noqa: ARG001 - its account
    """Return a function that seven releases have published, each with a layer of its own."""
    cloudformation, functions = boto3.client("cloudformation"), boto3.client("lambda")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
    [name] = [
        each["PhysicalResourceId"]
        for each in cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
        if each["ResourceType"] == "AWS::Lambda::Function"
    ]
    for release in RELEASES:
        for other in (ANOTHER, LONGER):
            functions.publish_layer_version(LayerName=other, Content={"ZipFile": archive(release)})
        layer = functions.publish_layer_version(LayerName=f"{STACK}-tenancy", Content={"ZipFile": archive(release)})
        functions.update_function_configuration(
            FunctionName=name,
            Environment={"Variables": {"RELEASE": release}},
            Layers=[layer["LayerVersionArn"]],
        )
        functions.update_function_code(FunctionName=name, ZipFile=archive(release), Publish=True)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="7")
    yield name
    cloudformation.delete_stack(StackName=STACK)


def versions_of(name: str) -> list[str]:
    return [each["Version"] for each in boto3.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]]


def layer_versions(name: str) -> int:
    found: list[Any] = boto3.client("lambda").list_layer_versions(LayerName=name)["LayerVersions"]
    return len(found)


def test_newest_versions_and_their_layers_stay(function: str) -> None:
    old_versions.delete_old_versions(STACK, REGION, keep=5)

    assert sorted(versions_of(function)) == ["$LATEST", "3", "4", "5", "6", "7"]
    assert layer_versions(f"{STACK}-tenancy") == 5


def test_version_of_an_alias_stays(function: str) -> None:
    boto3.client("lambda").update_alias(FunctionName=function, Name="live", FunctionVersion="2")

    old_versions.delete_old_versions(STACK, REGION, keep=1)

    assert sorted(versions_of(function)) == ["$LATEST", "2", "7"]
    assert layer_versions(f"{STACK}-tenancy") == 2


def test_version_with_a_weight_stays(function: str) -> None:
    """CodeDeploy shifts requests to it, or another deploy was stopped meanwhile."""
    routing: Any = {"AdditionalVersionWeights": {"2": 0.1}}
    boto3.client("lambda").update_alias(FunctionName=function, Name="live", RoutingConfig=routing)

    old_versions.delete_old_versions(STACK, REGION, keep=1)

    assert sorted(versions_of(function)) == ["$LATEST", "2", "7"]


def test_versions_of_all_pages_of_aliases_are_used() -> None:
    aws_lambda = boto3.client("lambda", region_name=REGION)
    pages = ({"Aliases": [{"FunctionVersion": "1"}], "NextMarker": "next"}, {"Aliases": [{"FunctionVersion": "2"}]})
    with Stubber(aws_lambda) as stubber:
        stubber.add_response("list_versions_by_function", {"Versions": []})
        for page in pages:
            stubber.add_response("list_aliases", page)

        found = versions.read_versions(aws_lambda, "Usage", "acme-production-Usage")

    assert found.used == {1, 2}


def test_release_before_stays_after_many_failed_deploys(function: str) -> None:
    boto3.client("lambda").update_alias(FunctionName=function, Name="live", FunctionVersion="1")
    live = old_versions.find_live_versions(STACK, REGION)
    boto3.client("lambda").update_alias(FunctionName=function, Name="live", FunctionVersion="7")  # 2 to 6 have failed

    old_versions.delete_old_versions(STACK, REGION, keep=5, live_before=live)

    assert sorted(versions_of(function)) == ["$LATEST", "1", "3", "4", "5", "6", "7"]
    assert layer_versions(f"{STACK}-tenancy") == 6


@pytest.mark.usefixtures("aws")
def test_new_stack_has_no_live_version() -> None:
    assert old_versions.find_live_versions("acme-unknown", REGION) == {}


@pytest.mark.parametrize("layer", [ANOTHER, LONGER])
@pytest.mark.usefixtures("function")
def test_layers_of_another_stack_stay(layer: str) -> None:
    before = layer_versions(layer)

    assert old_versions.main([STACK, "--region", REGION, "--keep", "1"]) == 0

    assert layer_versions(layer) == before > 0
