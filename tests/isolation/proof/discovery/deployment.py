"""Routes, queues and other resources that requests and messages reach."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from tests.given import REGION, ROOT
from tests.template.template import FUNCTIONS, RESOURCES, TEMPLATE

STATES_ROLE = "arn:aws:iam::123456789012:role/states"
PATH_PARAMETER = re.compile(r"\{(\w+)\+?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path.

    *has_authorizer*: API Gateway calls the authorizer first.
    """

    method: str
    path: str
    function: str
    has_authorizer: bool

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def reads_authorization(self) -> bool:
        """Whether the route reads the header `Authorization`. Ingest reads it itself on the paths of Segment's SDKs."""
        return self.has_authorizer or self.function == "ingest"

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(PATH_PARAMETER.findall(self.path))


def discover_routes() -> list[Route]:
    """Return every route of every function, sorted by path and method."""
    routes = [
        Route(
            method=properties["Method"].upper(),
            path=properties["Path"],
            function=function,
            has_authorizer=properties.get("Auth", {}).get("Authorizer") != "NONE",
        )
        for function, resource in FUNCTIONS.items()
        for properties in _events(resource, "Api")
    ]
    return sorted(routes, key=lambda route: (route.path, route.method))


def discover_queue_consumers() -> dict[str, str]:
    """Return the function that consumes each queue, by the queue's logical id."""
    return {
        properties["Queue"]["Fn::GetAtt"].removesuffix(".Arn"): function
        for function, resource in FUNCTIONS.items()
        for properties in _events(resource, "SQS")
    }


def discover_scheduled_functions() -> list[str]:
    """Return the functions that a schedule starts."""
    return sorted(function for function, resource in FUNCTIONS.items() if _events(resource, "ScheduleV2"))


def create_resources(queues_url: str) -> dict[str, str]:
    """Create the template's queues (below *queues_url*), KMS keys, state machines and buckets.

    Returns:
        By logical id the reference that functions get: URL, id, ARN or name.
    """
    creators = {
        "AWS::SQS::Queue": lambda name, _: f"{queues_url}/123456789012/{name}",  # exists with its first message
        "AWS::KMS::Key": _create_kms_key,
        "AWS::Serverless::StateMachine": _create_state_machine,
        "AWS::S3::Bucket": _create_bucket,
    }
    return {
        name: creators[resource["Type"]](name, resource.get("Properties", {}))
        for name, resource in RESOURCES.items()
        if resource["Type"] in creators
    }


def environment_of(function: str, references: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of *function* that refer to one of *references*."""
    global_variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    variables = {**global_variables, **FUNCTIONS[function].get("Environment", {}).get("Variables", {})}
    names = {name: value["Ref"] for name, value in variables.items() if isinstance(value, dict) and "Ref" in value}
    return {variable: references[name] for variable, name in names.items() if name in references}


def is_queue(name: str) -> bool:
    return bool(RESOURCES.get(name, {}).get("Type") == "AWS::SQS::Queue")


def is_bucket(name: str) -> bool:
    return bool(RESOURCES.get(name, {}).get("Type") == "AWS::S3::Bucket")


def _create_kms_key(_name: str, properties: Mapping[str, Any]) -> str:
    kms: Any = boto3.client("kms", region_name=REGION)
    created = kms.create_key(KeySpec=properties["KeySpec"], KeyUsage=properties["KeyUsage"])
    return str(created["KeyMetadata"]["KeyId"])


def _create_state_machine(name: str, properties: Mapping[str, Any]) -> str:
    step_functions: Any = boto3.client("stepfunctions", region_name=REGION)
    definition = (ROOT / properties["DefinitionUri"]).read_text()
    created = step_functions.create_state_machine(name=name, definition=definition, roleArn=STATES_ROLE)
    return str(created["stateMachineArn"])


def _create_bucket(name: str, _properties: Mapping[str, Any]) -> str:
    s3: Any = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket=name.lower(), CreateBucketConfiguration={"LocationConstraint": REGION})
    return name.lower()


def _events(resource: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    events = resource.get("Events", {}).values()
    return [event["Properties"] for event in events if event["Type"] == kind]
