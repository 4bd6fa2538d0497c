"""The bridge to MiniStack, on a small API with an authorizer, an echo and one usage plan."""

import base64
import gzip
import http.client
import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.stack import aws, processes
from scripts.stack.loopback import request
from scripts.stack.ports import choose_ports
from scripts.stack.settings import LOOPBACK, StackSettings
from tests.stack.waiting import LIMIT_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]
AUTHORIZER = """
def handler(event, context):
    name = event["headers"]["authorization"].removeprefix("Bearer ")
    if name == "nobody":
        raise Exception("Unauthorized")
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*"}
    return {
        "principalId": name,
        "usageIdentifierKey": f"gateway-key-of-{name}-" + "0" * 20,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"organization": name, "request_id": event["requestContext"]["requestId"]},
    }
"""
ECHO = """
import json, os, sys
def handler(event, context):
    if event["path"] == "/fault":
        raise ValueError("a fault")
    try:
        import ministack
        packages = True
    except ImportError:
        packages = False
    print("seen", event["path"])
    answer = {"event": event, "pid": os.getpid(), "packages": packages, "botocore": "botocore" in sys.modules}
    return {"statusCode": 200, "body": json.dumps(answer)}
"""
OPEN = {"Authorizer": "NONE", "ApiKeyRequired": False}


def event(path: str, method: str, auth: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {"RestApiId": {"Ref": "Api"}, "Path": path, "Method": method}
    return {"Type": "Api", "Properties": {**properties, **({"Auth": auth} if auth else {})}}


def function(code: str, events: dict[str, Any] | None = None) -> dict[str, Any]:
    common = {"InlineCode": code, "Handler": "index.handler", "Runtime": "python3.13", "Timeout": 10}
    return {"Type": "AWS::Serverless::Function", "Properties": {**common, "Events": events or {}}}


def refusal(status: int) -> dict[str, Any]:
    body = json.dumps({"status": status, "path": "$context.path", "request_id": "$context.requestId"})
    return {"StatusCode": status, "ResponseTemplates": {"application/json": body}}


TEMPLATE = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Api": {
            "Type": "AWS::Serverless::Api",
            "Properties": {
                "StageName": "v1",
                "ApiKeySourceType": "AUTHORIZER",
                "BinaryMediaTypes": ["*~1*"],
                "Auth": {
                    "DefaultAuthorizer": "Credential",
                    "ApiKeyRequired": True,
                    "Authorizers": {
                        "Credential": {
                            "FunctionArn": {"Fn::GetAtt": ["Authorizer", "Arn"]},
                            "FunctionPayloadType": "REQUEST",
                            "Identity": {"Headers": ["Authorization"], "ReauthorizeEvery": 60},
                        }
                    },
                },
                "GatewayResponses": {"MISSING_AUTHENTICATION_TOKEN": refusal(404), "UNAUTHORIZED": refusal(401)},
            },
        },
        "Authorizer": function(AUTHORIZER),
        "Echo": function(
            ECHO,
            {
                "Metered": event("/metered", "GET"),
                "Open": event("/open", "ANY", OPEN),
                "Fault": event("/fault", "GET", OPEN),
                "Item": event("/items/{id}", "GET", OPEN),
            },
        ),
        "Plan": {
            "Type": "AWS::ApiGateway::UsagePlan",
            "DependsOn": "Apiv1Stage",
            "Properties": {
                "UsagePlanName": "small",
                "ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": "v1"}],
                "Throttle": {"RateLimit": 0.0001, "BurstLimit": 3},
            },
        },
    },
    "Outputs": {"Plan": {"Value": {"Ref": "Plan"}}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    settings: StackSettings
    ports: dict[str, int]
    plan_id: str

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(LOOPBACK, self.ports["api"], timeout=LIMIT_SECONDS)
        try:
            connection.request(
                method, f"/v1{path}", body, {name.replace("_", "-"): value for name, value in headers.items()}
            )
            response = connection.getresponse()
            return Answer(status=response.status, headers=dict(response.getheaders()), body=json.loads(response.read()))
        finally:
            connection.close()

    def statuses(self, name: str, *, times: int) -> list[int]:
        return [self.call("GET", "/metered", authorization=f"Bearer {name}").status for _ in range(times)]

    def log(self) -> str:
        return processes.log_path(self.settings.directory, aws.NAME).read_text(encoding="utf-8")

    def add_key(self, name: str) -> None:
        api = aws.client("apigateway", aws.endpoint(LOOPBACK, self.ports))
        key = api.create_api_key(name=name, enabled=True, value=f"gateway-key-of-{name}-" + "0" * 20)
        api.create_usage_plan_key(usagePlanId=self.plan_id, keyId=key["id"], keyType="API_KEY")
        api.close()


@pytest.fixture(scope="module")
def gateway(settings: StackSettings) -> Iterator[Gateway]:
    ports = choose_ports(settings, in_use=())
    processes.start(settings.directory, aws.prepare(settings, ports))
    formation = aws.client("cloudformation", aws.endpoint(LOOPBACK, ports))
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    formation.create_stack(StackName=aws.STACK, TemplateBody=json.dumps(TEMPLATE), Capabilities=capabilities)
    formation.get_waiter("stack_create_complete").wait(
        StackName=aws.STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 600}
    )
    [output] = formation.describe_stacks(StackName=aws.STACK)["Stacks"][0]["Outputs"]
    formation.close()
    it = Gateway(settings=settings, ports=ports, plan_id=output["OutputValue"])
    yield it
    processes.stop(settings.directory, aws.NAME)


def test_usage_plan_throttles_one_organization_alone(gateway: Gateway) -> None:
    gateway.add_key("acme")
    gateway.add_key("globex")

    acme = gateway.statuses("acme", times=5)
    globex = gateway.statuses("globex", times=1)

    assert acme == [200, 200, 200, 429, 429]
    assert globex == [200]


def test_organization_without_a_plan_is_refused(gateway: Gateway) -> None:
    statuses = gateway.statuses("unknown", times=1)

    assert statuses == [403]


def test_key_in_the_request_does_not_replace_the_authorizers(gateway: Gateway) -> None:
    gateway.add_key("initech")
    key = "gateway-key-of-initech-" + "0" * 20

    answer = gateway.call("GET", "/metered", authorization="Bearer unknown", x_api_key=key)

    assert answer.status == 403


def test_authorizers_context_reaches_the_handler_without_the_key(gateway: Gateway) -> None:
    gateway.add_key("hooli")

    context = gateway.call("GET", "/metered", authorization="Bearer hooli").body["event"]["requestContext"]

    assert set(context["authorizer"]) == {"organization", "principalId", "request_id"}
    assert context["authorizer"]["request_id"] == context["requestId"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/nowhere", {}, 404),
        ("/metered", {}, 401),
        ("/metered", {"authorization": "Bearer nobody"}, 401),
        ("/%6fpen", {}, 404),
    ],
)
def test_refusal_of_the_gateway_has_the_templates_shape(
    gateway: Gateway, path: str, headers: dict[str, str], status: int
) -> None:
    answer = gateway.call("GET", path, None, **headers)

    assert answer.status == status
    assert answer.body == {
        "status": status,
        "path": f"/v1{path}",
        "request_id": answer.headers["x-amzn-requestid"],
    }


@pytest.mark.parametrize("headers", [{}, {"content_type": "text/plain"}])
def test_gzip_body_arrives_as_it_was_sent(gateway: Gateway, headers: dict[str, str]) -> None:
    body = gzip.compress(b"{}")

    seen = gateway.call("POST", "/open", body, **headers).body["event"]

    assert seen["isBase64Encoded"]
    assert gzip.decompress(base64.b64decode(seen["body"])) == b"{}"


def test_host_is_kept_and_a_forged_address_is_not(gateway: Gateway) -> None:
    answer = gateway.call("DELETE", "/open", host="acme.attribution.localhost", x_forwarded_for="8.8.8.8")

    seen = answer.body["event"]
    assert seen["headers"]["host"] == "acme.attribution.localhost"
    assert seen["requestContext"]["domainName"] == "acme.attribution.localhost"
    assert seen["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
    assert (seen["path"], seen["requestContext"]["path"]) == ("/open", "/v1/open")


@pytest.mark.parametrize(
    "sent", ["%7Bid%7D", "..%2f", "a%252Fb", "caf%C3%A9", "%ff", "a%3Fb%23c", "%00%0d%0a", "%", "%zz"]
)
def test_encoded_path_arrives_as_it_was_sent(gateway: Gateway, sent: str) -> None:
    answer = gateway.call("GET", f"/items/{sent}")

    seen = answer.body["event"]
    assert (seen["path"], seen["pathParameters"]) == (f"/items/{sent}", {"id": sent})
    assert seen["requestContext"]["path"] == f"/v1/items/{sent}"
    assert seen["resource"] == "/items/{id}"


def test_function_sees_its_layers_and_no_package_of_the_project(gateway: Gateway) -> None:
    answer = gateway.call("GET", "/open").body

    assert (answer["packages"], answer["botocore"]) == (False, False)


def test_exception_does_not_end_the_worker(gateway: Gateway) -> None:
    before = gateway.call("GET", "/open").body["pid"]

    status = gateway.call("GET", "/fault").status

    assert status == 502
    assert gateway.call("GET", "/open").body["pid"] == before
    assert "ValueError: a fault" in gateway.log()


def test_exception_has_its_own_name_for_state_machines(gateway: Gateway) -> None:
    functions = aws.client("lambda", aws.endpoint(LOOPBACK, gateway.ports))
    names = [each["FunctionName"] for each in functions.list_functions()["Functions"]]
    [name] = [each for each in names if "Echo" in each]

    failed = functions.invoke(FunctionName=name, Payload=json.dumps({"path": "/fault"}).encode())

    document = json.load(failed["Payload"])
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "a fault")


def test_output_of_a_function_is_logged_under_its_name(gateway: Gateway) -> None:
    gateway.call("PUT", "/open")

    line = re.compile(r"^tenancy-local-Echo-\w+ seen /open$", re.MULTILINE)

    wait_until(lambda: line.search(gateway.log()) is not None)


def test_moved_stack_leaves_nothing_at_its_old_place(tmp_path: Path) -> None:
    root = tmp_path / "here"
    root.mkdir()
    (root / "scripts").symlink_to(ROOT / "scripts")
    settings = StackSettings(root=root, directory=root / ".local")
    settings.directory.mkdir()
    processes.start(settings.directory, aws.prepare(settings, choose_ports(settings, in_use=())))
    moved = root.rename(tmp_path / "there")

    processes.stop(moved / ".local", aws.NAME)

    assert list((moved / ".local" / "aws" / "state").glob("*.json"))
    assert not root.exists()


def test_gateway_keys_survive_kill_9(gateway: Gateway) -> None:
    directory = gateway.settings.directory
    request(f"{aws.endpoint(LOOPBACK, gateway.ports)}/_stack/save", method="POST", seconds=LIMIT_SECONDS)
    saved = directory / "aws" / "state" / "apigateway_v1.json"
    gateway.add_key("umbrella")
    wait_until(lambda: "umbrella" in saved.read_text(encoding="utf-8"))
    process = processes.find_running(directory, aws.NAME)
    assert process

    os.kill(process.pid, signal.SIGKILL)
    processes.start(directory, aws.prepare(gateway.settings, gateway.ports))

    assert gateway.statuses("umbrella", times=1) == [200]
