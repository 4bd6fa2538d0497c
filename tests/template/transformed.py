"""The template for CloudFormation: the result of SAM's transform of template.yaml."""

from copy import deepcopy
from functools import cache
from typing import Any, Final

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.given import REGION
from tests.template.template import TEMPLATE

# `sam deploy` uploads these and replaces each by an address in S3.
UPLOADED: Final = ("CodeUri", "ContentUri", "DefinitionUri")
PLACE: Final = "s3://bucket/key"


@cache
def transformed() -> dict[str, dict[str, Any]]:
    """Return the resources that the transform makes, by their logical ids."""
    template = deepcopy(TEMPLATE)
    for resource in template["Resources"].values():
        for name in UPLOADED:
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = PLACE
    session = boto3.Session(region_name=REGION)
    made: dict[str, Any] = Translator(None, Parser(), boto_session=session).translate(template, defaults())
    resources: dict[str, dict[str, Any]] = made["Resources"]
    return resources


def defaults() -> dict[str, Any]:
    """Return the default of each parameter."""
    return {name: parameter["Default"] for name, parameter in TEMPLATE["Parameters"].items()}


def transformed_of(kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of type *kind*, by their logical ids."""
    return {name: resource for name, resource in transformed().items() if resource["Type"] == kind}
