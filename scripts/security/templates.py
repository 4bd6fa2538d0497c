"""The templates as CloudFormation gets them, with all conditions true and with all false, for checkov."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scripts.deploy.transform import transform
from scripts.stack.aws import REGION
from scripts.template import read_template

# The routes and alarms take most of checkov's time, and it has no check of them.
SKIPPED_PROPERTIES: Final = ("Body",)
SKIPPED_TYPES: Final = ("AWS::CloudWatch::Alarm", "AWS::Lambda::Permission")
NOTHING: Final = {"Ref": "AWS::NoValue"}


def write_templates(root: Path, folder: Path) -> None:
    """Write both variants of template.yaml and of each nested stack to *folder*."""
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of its own feature flags
    folder.mkdir(parents=True, exist_ok=True)
    transformed = transform(read_template(root / "template.yaml"), region=REGION)
    nested = {file.stem: read_template(file) for file in sorted(root.glob("stacks/*.yaml"))}
    for name, template in {"template": transformed, **nested}.items():
        for holds in (True, False):
            text = json.dumps(decided(template, holds=holds), indent=1)
            (folder / f"{name}-{'with' if holds else 'without'}-options.json").write_text(text, encoding="utf-8")


def decided(template: Mapping[str, Any], *, holds: bool) -> dict[str, Any]:
    """Return *template* with all conditions decided alike: true if *holds*, else false."""
    resources = {
        name: {member: _value(value, holds=holds) for member, value in resource.items() if member != "Condition"}
        for name, resource in template["Resources"].items()
        if (holds or "Condition" not in resource) and resource["Type"] not in SKIPPED_TYPES
    }
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def _value(value: Any, *, holds: bool) -> Any:  # noqa: ANN401 - any value of a template
    match value:
        case {"Fn::If": [_, chosen, other]}:
            return _value(chosen if holds else other, holds=holds)
        case dict():
            kept = ((name, _value(each, holds=holds)) for name, each in value.items())
            return {name: each for name, each in kept if each != NOTHING and name not in SKIPPED_PROPERTIES}
        case list():
            return [each for each in (_value(each, holds=holds) for each in value) if each != NOTHING]
    return value
