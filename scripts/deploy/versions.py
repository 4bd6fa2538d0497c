"""The published versions of a stack's functions, each with the release that published it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

ALIAS: Final = "live"
LATEST: Final = "$LATEST"
FIRST: Final = 1  # Lambda's number of a function's first version
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a function. *release* is the time of its deploy, as text."""

    number: int
    release: str
    layers: frozenset[str]

    @property
    def time(self) -> datetime | None:
        """The time of the deploy, or None for a version that no deploy has published."""
        return parse_time(self.release)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionVersions:
    """A function with its published versions, the oldest first, and the versions that its aliases lead to."""

    logical_id: str  # in the template
    name: str
    versions: list[Version]
    used: frozenset[int]
    newest_layers: frozenset[str]

    def of_release(self, release: datetime) -> Version | None:
        """Return the newest version of *release*."""
        return next((each for each in reversed(self.versions) if each.time == release), None)

    def is_newer_than(self, release: datetime) -> bool:
        """Return whether the function was made after *release*. A function with deleted versions may be older."""
        first = self.versions[0] if self.versions else None
        return first is None or (first.number == FIRST and first.time is not None and first.time > release)


def parse_time(text: str) -> datetime | None:
    """Return the time of an RFC 3339 text in UTC, or None."""
    if not TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def complete_releases(functions: Sequence[FunctionVersions]) -> set[datetime]:
    """Return the releases of which each function has a version, except functions that were made later.

    A deploy that failed leaves versions of some functions. Aliases of two releases would be a mixture that no test ran.
    """
    releases = {version.time for each in functions for version in each.versions if version.time}
    return {
        release
        for release in releases
        if all(each.of_release(release) or each.is_newer_than(release) for each in functions)
    }


def list_functions(cloudformation: Any, aws_lambda: Any, stack: str) -> Iterator[FunctionVersions]:  # noqa: ANN401 - boto3's clients
    """Yield each function of *stack*."""
    for logical_id, name in list_resources(cloudformation, stack, "AWS::Lambda::Function").items():
        yield read_versions(aws_lambda, logical_id, name)


def list_resources(cloudformation: Any, stack: str, kind: str) -> dict[str, str]:  # noqa: ANN401 - boto3's client
    """Return the physical id of each resource of *kind* in *stack* by its logical id."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] == kind
    }


def read_versions(aws_lambda: Any, logical_id: str, name: str) -> FunctionVersions:  # noqa: ANN401 - boto3's client
    """Return the published versions of the function *name*."""
    pages = aws_lambda.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    configurations = [each for page in pages for each in page["Versions"]]
    alias_pages = aws_lambda.get_paginator("list_aliases").paginate(FunctionName=name)
    aliases = [each for page in alias_pages for each in page["Aliases"]]
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
