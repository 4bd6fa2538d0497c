"""Delete old versions of a stack's functions and layers. `make deploy` does so after each deploy.

Usage: ``python -m scripts.deploy.old_versions tenancy-production --region eu-central-1 [--keep 5]``
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import boto3
from botocore.exceptions import ClientError

from scripts.deploy.versions import FunctionVersions, list_functions

KEPT: Final = 5
LAYERS: Final = ("certificates", "dependencies", "migrations", "saml", "tenancy")  # each after the stack's name


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and delete the old versions of a stack."""
    parser = argparse.ArgumentParser(prog="python -m scripts.deploy.old_versions", description=__doc__.splitlines()[0])
    parser.add_argument("stack", help="the name of the CloudFormation stack")
    parser.add_argument("--region", help="the region of the stack; AWS_REGION or the profile's by default")
    parser.add_argument("--keep", type=int, default=KEPT, help="the newest versions of each function (%(default)s)")
    chosen = parser.parse_args(arguments)
    if chosen.keep < 1:
        parser.error("--keep: expected 1 or more")
    delete_old_versions(chosen.stack, chosen.region, keep=chosen.keep)
    return 0


def find_live_versions(stack: str, region: str | None) -> dict[str, frozenset[int]]:
    """Return the versions that the aliases of each function of *stack* lead to, and nothing for a new stack."""
    cloudformation, aws_lambda = boto3.client("cloudformation", region_name=region), boto3.client("lambda", region)
    try:
        return {each.name: each.used for each in list_functions(cloudformation, aws_lambda, stack)}
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # CloudFormation's answer for an unknown stack
            return {}
        raise


def delete_old_versions(
    stack: str, region: str | None, *, keep: int = KEPT, live_before: Mapping[str, frozenset[int]] | None = None
) -> None:
    """Delete old versions of functions, and the layers that only they use.

    The *keep* newest versions of each function stay, those of aliases, and those of aliases before the deploy,
    *live_before*: deploys that failed may have published more than *keep* versions since. Lambda copies a layer into
    the versions that have it. So the deletion of a layer does not stop a running version.
    """
    aws_lambda = boto3.client("lambda", region_name=region)
    cloudformation = boto3.client("cloudformation", region_name=region)
    functions = list(list_functions(cloudformation, aws_lambda, stack))
    kept_layers: set[str] = set()
    for function in functions:
        old = set(_old_versions(function, keep)) - (live_before or {}).get(function.name, frozenset())
        for number in sorted(old):
            print(f"deploy: deleting version {number} of {function.name}", flush=True)
            aws_lambda.delete_function(FunctionName=function.name, Qualifier=str(number))
        kept_layers |= function.newest_layers.union(
            *(each.layers for each in function.versions if each.number not in old)
        )
    for name in (f"{stack}-{layer}" for layer in LAYERS):
        for number, arn in _layer_versions(aws_lambda, name):
            if arn not in kept_layers:
                print(f"deploy: deleting version {number} of layer {name}", flush=True)
                aws_lambda.delete_layer_version(LayerName=name, VersionNumber=number)


def _old_versions(function: FunctionVersions, keep: int) -> Iterator[int]:
    for version in function.versions[:-keep]:
        if version.number not in function.used:
            yield version.number


def _layer_versions(aws_lambda: Any, name: str) -> Iterator[tuple[int, str]]:  # noqa: ANN401 - boto3's client
    """Yield number and ARN of each version of the layer *name*."""
    for page in aws_lambda.get_paginator("list_layer_versions").paginate(LayerName=name):
        yield from ((each["Version"], each["LayerVersionArn"]) for each in page["LayerVersions"])


if __name__ == "__main__":
    sys.exit(main())
