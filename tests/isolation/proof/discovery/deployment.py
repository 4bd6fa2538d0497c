"""What template.yaml deploys, as far as an attacker or a message meets it: routes, queues, keys, what they start."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from tests.given import REGION, ROOT
from tests.template.test_template import FUNCTIONS, RESOURCES, TEMPLATE

STATES_ROLE = "arn:aws:iam::123456789012:role/states"
PARAMETER = re.compile(r"\{(\w+)\+?\}")
BY_TABLES_ID = re.compile(r"(\w+)_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path; *is_guarded*: API Gateway asks the authorizer first."""

    method: str
    path: str
    function: str
    is_guarded: bool

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(PARAMETER.findall(self.path))


def discover_routes() -> list[Route]:
    """Return every route of every function, in order."""
    found = [
        Route(
            method=properties["Method"].upper(),
            path=properties["Path"],
            function=function,
            is_guarded=properties.get("Auth", {}).get("Authorizer") != "NONE",
        )
        for function, resource in FUNCTIONS.items()
        for properties in _events(resource, "Api")
    ]
    return sorted(found, key=lambda route: (route.path, route.method))


def discover_consumers() -> dict[str, str]:
    """Return the function that each queue's messages go to, by the queue's name in the template."""
    return {
        properties["Queue"]["Fn::GetAtt"].removesuffix(".Arn"): function
        for function, resource in FUNCTIONS.items()
        for properties in _events(resource, "SQS")
    }


def discover_scheduled() -> list[str]:
    """Return the functions that a schedule starts."""
    return sorted(function for function, resource in FUNCTIONS.items() if _events(resource, "ScheduleV2"))


def make_resources(queues_url: str) -> dict[str, str]:
    """Make every queue (below *queues_url*), key, bucket and state machine of the template.

    Returns URL, id, name or ARN by their names there.
    """
    kms, step_functions = boto3.client("kms", region_name=REGION), boto3.client("stepfunctions", region_name=REGION)
    s3: Any = boto3.client("s3", region_name=REGION)
    made = {}
    for name, resource in RESOURCES.items():
        if resource["Type"] == "AWS::SQS::Queue":
            made[name] = f"{queues_url}/123456789012/{name}"
        if resource["Type"] == "AWS::KMS::Key":
            usage = {name: resource["Properties"][name] for name in ("KeySpec", "KeyUsage")}
            made[name] = kms.create_key(**usage)["KeyMetadata"]["KeyId"]
        if resource["Type"] == "AWS::Serverless::StateMachine":
            definition = (ROOT / resource["Properties"]["DefinitionUri"]).read_text()
            created = step_functions.create_state_machine(name=name, definition=definition, roleArn=STATES_ROLE)
            made[name] = created["stateMachineArn"]
        if resource["Type"] == "AWS::S3::Bucket":
            made[name] = name.lower()
            s3.create_bucket(Bucket=made[name], CreateBucketConfiguration={"LocationConstraint": REGION})
    return made


def variables_of(function: str, made: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of *function* that refer to something in *made*, a resource or a parameter."""
    everywhere = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    variables = {**everywhere, **FUNCTIONS[function].get("Environment", {}).get("Variables", {})}
    references = {name: value["Ref"] for name, value in variables.items() if isinstance(value, dict) and "Ref" in value}
    return {name: made[reference] for name, reference in references.items() if reference in made}


def is_queue(name: str) -> bool:
    return bool(RESOURCES.get(name, {}).get("Type") == "AWS::SQS::Queue")


def is_bucket(name: str) -> bool:
    return bool(RESOURCES.get(name, {}).get("Type") == "AWS::S3::Bucket")


def _events(resource: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    events = resource.get("Events", {}).values()
    return [event["Properties"] for event in events if event["Type"] == kind]
