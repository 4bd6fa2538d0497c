"""The nested templates of stacks/, and all templates as CloudFormation gets them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.deploy.conditions import Decisions
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


def decided(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Return *template* as these parameter *values* leave it: without conditions, and with *values* as defaults."""
    decisions = Decisions.of(template, values)
    kept = {name: part for name, part in template.items() if name not in {"Conditions", "Rules"}}
    for section in ("Resources", "Outputs"):
        kept[section] = {
            name: {member: part for member, part in each.items() if member != "Condition"}
            for name, each in template.get(section, {}).items()
            if decisions.is_made(each)
        }
    chosen: dict[str, Any] = _chosen(kept, decisions)
    for name, parameter in chosen.get("Parameters", {}).items():
        if name in values:
            parameter["Default"] = values[name]
    return chosen


def _chosen(value: Any, decisions: Decisions) -> Any:  # noqa: ANN401 - any value of the template
    match value:
        case {"Fn::If": [name, chosen, other]}:
            return _chosen(chosen if decisions.holds({"Condition": name}) else other, decisions)
        case dict():
            members = {name: _chosen(each, decisions) for name, each in value.items()}
            return {name: each for name, each in members.items() if each != {"Ref": "AWS::NoValue"}}
        case list():
            return [_chosen(each, decisions) for each in value]
    return value


def with_resources(template: Mapping[str, Any], resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return *template* with some *resources*, and all that they and the outputs refer to."""
    found: dict[str, Any] = {}
    texts = [json.dumps(template["Outputs"], default=str), json.dumps(resources, default=str)]
    named = set(resources)
    while named:
        found |= {name: template["Resources"][name] for name in named}
        named = {name for text in texts for name in re.findall(r"\w+", text)} & (
            set(template["Resources"]) - set(found)
        )
        texts = [json.dumps(template["Resources"][name], default=str) for name in named]
    return {**template, "Resources": found}


def as_json(template: Mapping[str, Any]) -> str:
    return json.dumps(template, default=str, indent=1)
