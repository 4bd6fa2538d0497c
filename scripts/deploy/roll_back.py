"""Point the aliases of a stack's functions to the versions of an earlier release, without CloudFormation.

Usage: ``python -m scripts.deploy.roll_back tenancy-production --region eu-central-1 --before 2026-11-29T12:00:00Z``
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import boto3

from scripts.deploy.versions import ALIAS, FunctionVersions, list_functions


def main(arguments: Sequence[str] | None = None) -> int:
    """Point all aliases, print each, and return 1 if a function has no such version."""
    parser = argparse.ArgumentParser(prog="python -m scripts.deploy.roll_back", description=__doc__.splitlines()[0])
    parser.add_argument("stack", help="the name of the CloudFormation stack")
    parser.add_argument("--region", help="the region of the stack; AWS_REGION or the profile's by default")
    parser.add_argument("--before", required=True, help="a time in UTC: the newest release before it becomes live")
    chosen = parser.parse_args(arguments)
    aws_lambda = boto3.client("lambda", region_name=chosen.region)
    cloudformation = boto3.client("cloudformation", region_name=chosen.region)
    moved = [move(aws_lambda, each, chosen.before) for each in list_functions(cloudformation, aws_lambda, chosen.stack)]
    return 0 if all(moved) else 1


def move(aws_lambda: Any, function: FunctionVersions, before: str) -> bool:  # noqa: ANN401 - boto3's client
    """Point the alias of *function* to its newest version of a release before a time. Return whether it has one."""
    earlier = [each for each in function.versions if each.release < before]
    if not earlier:
        print(f"{function.name}: no version of a release before {before}. Its alias is unchanged.", file=sys.stderr)
        return False
    version = earlier[-1]
    aws_lambda.update_alias(
        FunctionName=function.name,
        Name=ALIAS,
        FunctionVersion=str(version.number),
        RoutingConfig={"AdditionalVersionWeights": {}},
    )
    print(f"{function.name}: version {version.number}, release {version.release}")
    return True


if __name__ == "__main__":
    sys.exit(main())
