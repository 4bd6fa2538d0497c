"""The published versions of a stack's functions, each with the release that published it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

ALIAS: Final = "live"
LATEST: Final = "$LATEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a function. *release* is the time of its deploy, as text."""

    number: int
    release: str
    layers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionVersions:
    """A function with its published versions, the oldest first, and the versions that its aliases lead to."""

    logical_id: str  # in the template
    name: str
    versions: list[Version]
    used: frozenset[int]
    newest_layers: frozenset[str]


def list_functions(cloudformation: Any, aws_lambda: Any, stack: str) -> Iterator[FunctionVersions]:  # noqa: ANN401 - boto3's clients
    """Yield each function of *stack*."""
    for logical_id, name in list_resources(cloudformation, stack, "AWS::Lambda::Function").items():
        yield _read(aws_lambda, logical_id, name)


def list_resources(cloudformation: Any, stack: str, kind: str) -> dict[str, str]:  # noqa: ANN401 - boto3's client
    """Return the physical id of each resource of *kind* in *stack* by its logical id."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] == kind
    }


def _read(aws_lambda: Any, logical_id: str, name: str) -> FunctionVersions:  # noqa: ANN401 - boto3's client
    pages = aws_lambda.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    configurations = [each for page in pages for each in page["Versions"]]
    aliases = aws_lambda.list_aliases(FunctionName=name)["Aliases"]
    weighted = [
        number for each in aliases for number in each.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    ]
    used = [each["FunctionVersion"] for each in aliases] + weighted
    published = [_version(each) for each in configurations if each["Version"] != LATEST]
    return FunctionVersions(
        logical_id=logical_id,
        name=name,
        versions=sorted(published, key=lambda version: version.number),
        used=frozenset(int(number) for number in used if number != LATEST),
        newest_layers=_layers(*(each for each in configurations if each["Version"] == LATEST)),
    )


def _version(configuration: dict[str, Any]) -> Version:
    variables = configuration.get("Environment", {}).get("Variables", {})
    return Version(
        number=int(configuration["Version"]), release=variables.get("RELEASE", ""), layers=_layers(configuration)
    )


def _layers(*configurations: dict[str, Any]) -> frozenset[str]:
    return frozenset(layer["Arn"] for each in configurations for layer in each.get("Layers", []))
