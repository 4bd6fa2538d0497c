"""Build and deploy the real template into the local AWS, unless nothing changed."""

import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from scripts.build import digest_of_inputs, set_release
from scripts.stack import aws, processes
from scripts.stack.errors import StackError
from scripts.stack.loopback import request
from scripts.stack.settings import StackSettings
from scripts.template import read_template

ARTIFACTS = "tenancy-artifacts"
FUNCTIONS = "functions/"
STANDING = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
TEMPLATE = "template.yaml"
UNDER_WAY = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")
FAILED = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
RESOURCE_FAILED = ("CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED")
UNDER_WAY_SECONDS = 180.0
POLL_SECONDS = "0.5"
SAVE_PATH = "/_stack/save"  # bridge/state.py, which only MiniStack's own process can import
SAVE_SECONDS = 180
NO_CONFIGURATION = "version = 0.1\n"


def template_parameters(settings: StackSettings, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return those of the *wanted* parameters that the template has."""
    declared = read_template(settings.sources / TEMPLATE).get("Parameters", {})
    return {name: value for name, value in wanted.items() if name in declared}


def function_ids(root: Path) -> dict[str, str]:
    """Return the logical id of each function in the template by the name of its folder."""
    resources = read_template(root / TEMPLATE)["Resources"].items()
    code = {name: str(resource.get("Properties", {}).get("CodeUri", "")) for name, resource in resources}
    return {uri.removeprefix(FUNCTIONS): name for name, uri in code.items() if uri.startswith(FUNCTIONS)}


def machine_architecture() -> str:
    """Return the architecture of this machine as Lambda names it."""
    return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


def is_current(settings: StackSettings, url: str, parameters: Mapping[str, str]) -> bool:
    """Tell whether the AWS at *url* already has the template and code of this checkout."""
    try:
        return (
            _record(settings).read_text(encoding="utf-8") == _digest(settings, parameters) and _status(url) in STANDING
        )
    except OSError:
        return False


def build(settings: StackSettings) -> None:
    """Build the bundle for this machine, if it changed."""
    options = ["--architecture", machine_architecture(), "--build-dir", str(settings.bundle)]
    _run(settings, "build", [sys.executable, "-m", "scripts.build", *options], {})


def deploy(settings: StackSettings, url: str, parameters: Mapping[str, str]) -> None:
    """Deploy the built bundle, and save it so that it survives a crash.

    Raises:
        StackError: CloudFormation refused it.
    """
    _record(settings).unlink(missing_ok=True)
    storage = aws.client("s3", url)
    if ARTIFACTS not in {bucket["Name"] for bucket in storage.list_buckets()["Buckets"]}:
        storage.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": aws.REGION})
    _clear_way(url)
    set_release(settings.bundle / TEMPLATE, _digest_of(parameters))
    try:
        _run(settings, "deploy", _deploy_command(settings, parameters), {"AWS_ENDPOINT_URL": url})
    except StackError as error:
        raise StackError.not_deployed(_latest_failure(url), str(error)) from error
    request(f"{url}{SAVE_PATH}", method="POST", seconds=SAVE_SECONDS)
    _record(settings).write_text(_digest(settings, parameters), encoding="utf-8")


def function_variables(url: str) -> dict[str, dict[str, str]]:
    """Return the environment of each deployed function by its logical id."""
    resources = aws.client("cloudformation", url).describe_stack_resources(StackName=aws.STACK)["StackResources"]
    functions = aws.client("lambda", url)
    return {
        resource["LogicalResourceId"]: functions.get_function_configuration(
            FunctionName=resource["PhysicalResourceId"],
        )
        .get("Environment", {})
        .get("Variables", {})
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def _clear_way(url: str) -> None:
    """Wait for a deployment whose command was killed, and delete a stack whose creation failed."""
    deadline = time.monotonic() + UNDER_WAY_SECONDS
    while _status(url) in UNDER_WAY and time.monotonic() < deadline:
        time.sleep(float(POLL_SECONDS))
    if _status(url) in FAILED:
        formation = aws.client("cloudformation", url)
        formation.delete_stack(StackName=aws.STACK)
        formation.get_waiter("stack_delete_complete").wait(StackName=aws.STACK, WaiterConfig={"Delay": 1})


def _deploy_command(settings: StackSettings, parameters: Mapping[str, str]) -> Sequence[str]:
    # The deploy parameters in the checkout's samconfig.toml are for AWS.
    no_configuration = settings.directory / "samconfig.toml"
    no_configuration.write_text(NO_CONFIGURATION, encoding="utf-8")
    return [
        str(Path(sys.executable).with_name("sam")),
        "deploy",
        f"--template-file={settings.bundle / TEMPLATE}",
        f"--config-file={no_configuration}",
        f"--stack-name={aws.STACK}",
        f"--s3-bucket={ARTIFACTS}",
        f"--region={aws.REGION}",
        "--capabilities",
        "CAPABILITY_IAM",
        "CAPABILITY_AUTO_EXPAND",
        "--no-confirm-changeset",
        "--no-fail-on-empty-changeset",
        "--no-progressbar",
        "--parameter-overrides",
        *(f"{name}={value}" for name, value in parameters.items()),
    ]


def _run(settings: StackSettings, task: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
    log = processes.log_path(settings.directory, task)
    log.parent.mkdir(parents=True, exist_ok=True)
    ours = {
        **aws.CREDENTIALS,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": POLL_SECONDS,
    }
    with log.open("wb") as output:
        result = subprocess.run(
            command,
            cwd=settings.sources,
            env={**os.environ, **ours, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        raise StackError.failed(task, log)


def _status(url: str) -> str | None:
    try:
        stacks: list[dict[str, Any]] = aws.client("cloudformation", url).describe_stacks(StackName=aws.STACK)["Stacks"]
    except ClientError:
        return None
    return str(stacks[0]["StackStatus"])


def _latest_failure(url: str) -> str:
    """Return the latest resource that failed, with the reason."""
    try:
        events = aws.client("cloudformation", url).describe_stack_events(StackName=aws.STACK)["StackEvents"]
    except ClientError:
        return "there is no stack"
    failures = (event for event in events if event["ResourceStatus"] in RESOURCE_FAILED)
    failed = next(failures, {"LogicalResourceId": "no resource", "ResourceStatusReason": "none is known"})
    return f"{failed['LogicalResourceId']}: {failed.get('ResourceStatusReason', '')}"


def _digest(settings: StackSettings, parameters: Mapping[str, str]) -> str:
    parts = f"{digest_of_inputs(settings.sources)} {_digest_of(parameters)}"
    return hashlib.sha256(parts.encode()).hexdigest()


def _digest_of(parameters: Mapping[str, str]) -> str:
    return hashlib.sha256(str(sorted(parameters.items())).encode()).hexdigest()


def _record(settings: StackSettings) -> Path:
    return settings.directory / aws.NAME / "deployed"
