"""The nested templates of stacks/, and all templates as CloudFormation gets them."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from scripts.template import read_template
from tests.given import ROOT
from tests.template.template import TEMPLATE
from tests.template.transformed import transformed_template

STACKS = {path.stem: read_template(path) for path in sorted((ROOT / "stacks").glob("*.yaml"))}
STACK = "AWS::CloudFormation::Stack"
NESTED = {
    name: Path(resource["Properties"]["TemplateURL"]).stem
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == STACK
}


def stack_resources(stack: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = STACKS[stack]["Resources"]
    return found


def all_resources() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield template, logical id and definition of each resource, as CloudFormation gets it."""
    for name, template in {"template": transformed_template(), **STACKS}.items():
        for logical_id, resource in template["Resources"].items():
            yield name, logical_id, resource


def with_parameters(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Return *template* for which these parameter *values* are the only ones."""
    fixed = deepcopy(dict(template))
    for name, parameter in fixed.get("Parameters", {}).items():
        if name in values:
            parameter |= {"Default": values[name], "AllowedValues": [values[name]]}
    return fixed


def as_json(template: Mapping[str, Any]) -> str:
    return json.dumps(template, default=str, indent=1)
