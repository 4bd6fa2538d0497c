"""A small API with an authorizer, an echo and one usage plan, and its calls through the bridge to MiniStack."""

import http.client
import json
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from scripts.stack import aws, processes
from scripts.stack.settings import LOOPBACK, StackSettings
from tests.stack.waiting import LIMIT_SECONDS

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
SLOW_SECONDS = 3
ECHO = f"""
import json, os, sys, time
def handler(event, context):
    if event["path"] == "/fault":
        raise ValueError("a fault")
    if event["path"] == "/items/slow":
        print("sleeps")
        time.sleep({SLOW_SECONDS})
    try:
        import ministack
        packages = True
    except ImportError:
        packages = False
    print("seen", event["path"])
    answer = {{"event": event, "pid": os.getpid(), "packages": packages, "botocore": "botocore" in sys.modules}}
    return {{"statusCode": 200, "body": json.dumps(answer)}}
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


TEMPLATE: dict[str, Any] = {
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


def with_code_of_echo(code: str) -> dict[str, Any]:
    """Return the template with other *code*, and with another path."""
    template = deepcopy(TEMPLATE)
    echo = template["Resources"]["Echo"]["Properties"]
    echo["InlineCode"] = code
    echo["Events"]["New"] = event("/new", "GET", OPEN)
    return template


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
