"""What the bridge adds to MiniStack, on a small API of its own: an authorizer, an echo, and one usage plan."""

import base64
import gzip
import http.client
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from scripts.stack import aws, processes
from scripts.stack.ports import choose_ports
from scripts.stack.settings import LOOPBACK, StackSettings

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
            },
        ),
        "Plan": {
            "Type": "AWS::ApiGateway::UsagePlan",
            "DependsOn": "Apiv1Stage",
            "Properties": {
                "UsagePlanName": "small",
                "ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": "v1"}],
                "Throttle": {"RateLimit": 0.01, "BurstLimit": 3},
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
        connection = http.client.HTTPConnection(LOOPBACK, self.ports["api"], timeout=20)
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
    formation.get_waiter("stack_create_complete").wait(StackName=aws.STACK, WaiterConfig={"Delay": 0.2})
    [output] = formation.describe_stacks(StackName=aws.STACK)["Stacks"][0]["Outputs"]
    formation.close()
    it = Gateway(settings=settings, ports=ports, plan_id=output["OutputValue"])
    yield it
    processes.stop(settings.directory, aws.NAME)


def test_an_organization_past_its_plan_is_throttled_and_another_in_the_plan_is_not(gateway: Gateway) -> None:
    gateway.add_key("acme")
    gateway.add_key("globex")
    assert gateway.statuses("acme", times=5) == [200, 200, 200, 429, 429]
    assert gateway.statuses("globex", times=1) == [200]


def test_an_organization_whose_key_is_in_no_plan_is_refused(gateway: Gateway) -> None:
    assert gateway.statuses("unknown", times=1) == [403]


def test_a_key_in_the_request_does_not_stand_in_for_the_authorizer_s(gateway: Gateway) -> None:
    gateway.add_key("initech")
    key = "gateway-key-of-initech-" + "0" * 20
    assert gateway.call("GET", "/metered", authorization="Bearer unknown", x_api_key=key).status == 403


def test_the_authorizer_s_context_reaches_the_handler_without_the_key(gateway: Gateway) -> None:
    gateway.add_key("hooli")
    context = gateway.call("GET", "/metered", authorization="Bearer hooli").body["event"]["requestContext"]
    assert set(context["authorizer"]) == {"organization", "principalId", "request_id"}
    assert context["authorizer"]["request_id"] == context["requestId"]


def test_a_refusal_of_the_gateway_has_the_template_s_shape(gateway: Gateway) -> None:
    for answer, status, path in (
        (gateway.call("GET", "/nowhere"), 404, "/v1/nowhere"),
        (gateway.call("GET", "/metered"), 401, "/v1/metered"),
        (gateway.call("GET", "/metered", authorization="Bearer nobody"), 401, "/v1/metered"),
    ):
        assert answer.status == status
        assert (answer.body["status"], answer.body["path"]) == (status, path)
        assert answer.body["request_id"] == answer.headers["x-amzn-requestid"]


def test_a_gzip_body_arrives_as_it_was_sent_whatever_its_type(gateway: Gateway) -> None:
    body = gzip.compress(b"{}")
    for answer in (gateway.call("POST", "/open", body), gateway.call("POST", "/open", body, content_type="text/plain")):
        seen = answer.body["event"]
        assert seen["isBase64Encoded"]
        assert gzip.decompress(base64.b64decode(seen["body"])) == b"{}"


def test_the_host_is_kept_and_a_forged_address_is_not(gateway: Gateway) -> None:
    answer = gateway.call("DELETE", "/open", host="acme.attribution.localhost", x_forwarded_for="8.8.8.8")
    seen = answer.body["event"]
    assert seen["headers"]["host"] == "acme.attribution.localhost"
    assert seen["requestContext"]["domainName"] == "acme.attribution.localhost"
    assert seen["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
    assert (seen["path"], seen["requestContext"]["path"]) == ("/open", "/v1/open")


def test_a_function_sees_its_layers_and_no_package_of_the_project(gateway: Gateway) -> None:
    answer = gateway.call("GET", "/open").body
    assert (answer["packages"], answer["botocore"]) == (False, False)


def test_an_exception_does_not_end_the_worker(gateway: Gateway) -> None:
    before = gateway.call("GET", "/open").body["pid"]
    assert gateway.call("GET", "/fault").status == 502
    assert gateway.call("GET", "/open").body["pid"] == before
    assert "ValueError: a fault" in gateway.log()


def test_an_exception_has_its_name_as_state_machines_want_it(gateway: Gateway) -> None:
    functions = aws.client("lambda", aws.endpoint(LOOPBACK, gateway.ports))
    names = [each["FunctionName"] for each in functions.list_functions()["Functions"]]
    [name] = [each for each in names if "Echo" in each]
    failed = functions.invoke(FunctionName=name, Payload=json.dumps({"path": "/fault"}).encode())
    document = json.load(failed["Payload"])
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "a fault")


def test_what_a_function_prints_is_in_the_log_under_its_name(gateway: Gateway) -> None:
    gateway.call("PUT", "/open")
    deadline = time.monotonic() + 5
    while not re.search(r"^tenancy-local-Echo-\w+ seen /open$", gateway.log(), re.MULTILINE):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_gateway_keys_survive_kill_9(gateway: Gateway) -> None:
    directory = gateway.settings.directory
    connection = http.client.HTTPConnection(LOOPBACK, gateway.ports["aws"])
    connection.request("POST", "/_stack/save")  # what a deployment does at its end
    assert connection.getresponse().status == 204
    connection.close()
    saved = directory / "aws" / "state" / "apigateway_v1.json"
    gateway.add_key("umbrella")
    deadline = time.monotonic() + 10
    while "umbrella" not in saved.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process = processes.find_running(directory, aws.NAME)
    assert process
    os.kill(process.pid, signal.SIGKILL)
    processes.start(directory, aws.prepare(gateway.settings, gateway.ports))
    assert gateway.statuses("umbrella", times=1) == [200]
