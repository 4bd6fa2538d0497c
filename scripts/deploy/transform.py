"""The template that CloudFormation gets: SAM's transform of template.yaml, applied on this machine."""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, Final

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

# `sam deploy` uploads these and replaces each by an address in S3.
UPLOADED: Final = ("CodeUri", "ContentUri", "DefinitionUri")
PLACE: Final = "s3://bucket/key"


def transform(
    template: Mapping[str, Any], *, region: str, parameters: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return *template* without SAM's types, as these *parameters* make it.

    SAM reads the parameters of gradual deployments. CloudFormation itself decides all conditions later.
    """
    copied = deepcopy(dict(template))
    for resource in copied["Resources"].values():
        for name in UPLOADED:
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = PLACE
    values = {name: parameter["Default"] for name, parameter in copied["Parameters"].items()} | dict(parameters)
    made: dict[str, Any] = Translator(None, Parser(), boto_session=boto3.Session(region_name=region)).translate(
        copied, values
    )
    return made
