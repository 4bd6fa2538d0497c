"""Deploy one stage of samconfig.toml.

Usage: ``python -m scripts.deploy [staging|production] [--print]``
       ``python -m scripts.deploy <new stage> --guided``
"""

import argparse
import logging
import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.build import build, set_release
from scripts.deploy.account import find_account_problems
from scripts.deploy.conditions import Decisions
from scripts.deploy.costs import Prices, Resource, cost_month, list_resources
from scripts.deploy.old_versions import delete_old_versions, find_live_versions
from scripts.deploy.questions import STAGE_NAME, Read, Say, ask_section
from scripts.deploy.transform import transform
from scripts.template import read_template

ROOT: Final = Path(__file__).resolve().parents[2]
CONFIGURATION: Final = "samconfig.toml"
BUILD: Final = Path(".aws-sam/build")
ARCHITECTURE: Final = "arm64"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Check the parameters, print the resources and their costs, then build and deploy them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", nargs="?", default="staging")
    parser.add_argument("--print", action="store_true", dest="is_dry", help="print, and deploy nothing")
    parser.add_argument("--guided", action="store_true", help="ask for the parameters of a new stage first")
    chosen = parser.parse_args(arguments)
    template = read_template(root / "template.yaml")
    if chosen.guided and (problem := add_stage(root / CONFIGURATION, template, chosen.stage)):
        return _fail([problem])
    configuration = tomllib.loads((root / CONFIGURATION).read_text(encoding="utf-8"))
    if "deploy" not in configuration.get(chosen.stage, {}):
        stages = ", ".join(name for name, part in configuration.items() if isinstance(part, dict) and "deploy" in part)
        return _fail(
            [
                f"samconfig.toml has no stage {chosen.stage} with parameters of a deploy. It has: {stages}.",
                f"Add it: .venv/bin/python -m scripts.deploy {chosen.stage} --guided",
            ]
        )
    parameters = parameters_of(configuration[chosen.stage])
    if problems := find_problems(template, parameters):
        return _fail(problems)
    settings = configuration[chosen.stage]["global"]["parameters"]
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of its own feature flags
    print("\n".join(describe(root, template, parameters, settings)), flush=True)
    if chosen.is_dry:
        return 0
    if problems := list(find_account_problems(boto3.client("lambda", region_name=settings["region"]), parameters)):
        return _fail(problems)
    return _release(chosen.stage, root, settings)


def add_stage(
    file: Path, template: Mapping[str, Any], stage: str, *, read: Read = input, say: Say = print
) -> str | None:
    """Ask for the parameters of *stage* and append it to *file*. Return the problem if that is not possible."""
    text = file.read_text(encoding="utf-8")
    if not STAGE_NAME.fullmatch(stage):
        return f"{stage} is not a valid name of a stage. Expected lower-case letters, digits and hyphens."
    if stage in tomllib.loads(text):
        return f"samconfig.toml already has the stage {stage}. Edit it there."
    try:
        section = ask_section(template, stage, read=read, say=say)
    except (EOFError, KeyboardInterrupt):
        return "The questions were not answered. samconfig.toml is unchanged."
    file.write_text(text + section, encoding="utf-8")
    return None


def parameters_of(stage: Mapping[str, Any]) -> dict[str, str]:
    """Return the template's parameters that a stage of samconfig.toml sets."""
    text: str = stage["deploy"]["parameters"].get("parameter_overrides", "")
    return dict(each.split("=", 1) for each in text.split())


def find_problems(template: Mapping[str, Any], parameters: Mapping[str, str]) -> list[str]:
    """Return the reasons for which CloudFormation would refuse *parameters* before it changes the stack."""
    unknown = sorted(set(parameters) - set(template["Parameters"]))
    return [
        *(f"template.yaml has no parameter {name}." for name in unknown),
        *Decisions.of(template, parameters).failed_assertions(),
    ]


def describe(
    root: Path, template: Mapping[str, Any], parameters: Mapping[str, str], settings: Mapping[str, str]
) -> Iterator[str]:
    """Yield the lines with the resources of a deploy and their costs."""
    prices = Prices()
    resources = list(
        list_resources(root, transform(template, region=settings["region"], parameters=parameters), parameters)
    )
    yield f"deploy: stack {settings['stack_name']} in {settings['region']}: {len(resources)} resources"
    yield from (f"  {number:>3} {kind}" for kind, number in _largest(resources))
    yield ""
    yield f"Standing costs a month, before any traffic (list prices of {prices.date} in {prices.region}):"
    costs = cost_month(resources, prices)
    yield from (f"  {cost.number:>3} {cost.name:<48} ${cost.dollars:>8,.2f}" for cost in costs)
    yield f"      {'total':<48} ${sum(cost.dollars for cost in costs):>8,.2f}"
    yield "ClickHouse, the hosted zone, taxes and support are not included."
    yield "Traffic costs more: requests, runs, calls, logs and stored bytes. docs/scaling.md has the costs of a load."


def _largest(resources: Sequence[Resource]) -> list[tuple[str, int]]:
    """Return the types of the resources with their numbers, in order of their names."""
    return sorted(Counter(resource.kind for resource in resources).items())


def _release(stage: str, root: Path, settings: Mapping[str, str]) -> int:
    """Build and deploy, and then delete old versions. A failure to delete them is no failure of the deploy."""
    build(root, BUILD, ARCHITECTURE)
    set_release(root / BUILD / "template.yaml", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    try:
        live = find_live_versions(settings["stack_name"], settings["region"])
    except (BotoCoreError, ClientError) as error:
        print(f"deploy: old versions will not be deleted, because the live ones are unknown: {error}", file=sys.stderr)
        return _deploy(stage, root)
    status = _deploy(stage, root)
    if status == 0:
        try:
            delete_old_versions(settings["stack_name"], settings["region"], live_before=live)
        except (BotoCoreError, ClientError) as error:
            print(f"deploy: the stack is deployed. Old versions were not deleted: {error}", file=sys.stderr)
    return status


def _deploy(stage: str, root: Path) -> int:
    sam = str(Path(sys.executable).with_name("sam"))
    return subprocess.run([sam, "deploy", "--config-env", stage], cwd=root, env=os.environ, check=False).returncode


def _fail(problems: Sequence[str]) -> int:
    print("deploy: nothing was deployed.", *(f"  - {problem}" for problem in problems), sep="\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
