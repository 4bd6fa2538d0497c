"""The template that CloudFormation gets: SAM's transform of template.yaml, applied on this machine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from types import MappingProxyType
from typing import Any, Final

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.swagger import swagger
from samtranslator.translator.translator import Translator

# `sam deploy` uploads these and replaces each by an address in S3.
UPLOADED: Final = ("CodeUri", "ContentUri", "DefinitionUri")
PLACE: Final = "s3://bucket/key"


def transform(
    template: Mapping[str, Any], *, region: str, parameters: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return *template* without SAM's types, as these *parameters* make it.

    The logical id of the API's deployment differs from that of `sam deploy`.
    SAM reads the parameters of gradual deployments. CloudFormation itself decides all conditions later.
    """
    copied = deepcopy(dict(template))
    for resource in copied["Resources"].values():
        for name in UPLOADED:
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = PLACE
    values = {name: parameter["Default"] for name, parameter in copied["Parameters"].items()} | dict(parameters)
    translator = Translator(None, Parser(), boto_session=boto3.Session(region_name=region))
    with _one_definition():
        made: dict[str, Any] = translator.translate(copied, values)
    return made


@contextmanager
def _one_definition() -> Iterator[None]:
    """Let SAM change the definition of the API in place.

    SAM would copy it twice for each route, which takes 15 times as long as the rest of the transform.
    """
    copy = swagger._deepcopy  # noqa: SLF001 - SAM has no setting for it
    swagger._deepcopy = lambda definition: definition  # noqa: SLF001
    try:
        yield
    finally:
        swagger._deepcopy = copy  # noqa: SLF001
