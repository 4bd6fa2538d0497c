"""Run every function with its samples under ``sam local invoke``, on the embedded stack.

This needs a Docker engine with the image of the Lambda runtime, and a stack that listens on the Docker bridge as well
(docs/operations.md). A sample passes if its function answers. A refusal is an answer, because the credentials in the
samples belong to no organization. A failed import, a time-out or a fault (5xx) is none.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import docker  # type: ignore[import-untyped]  # ships no types
import psutil
from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]  # the same

from scripts.stack.deployment import function_ids, machine_architecture

ROOT: Final = Path(__file__).resolve().parents[1]
TIMEOUT_SECONDS: Final = 900
CONNECT_SECONDS: Final = 10
FIRST_FAULT: Final = 500
REFUSED: Final = "Unauthorized"  # the authorizer's refusal
STATE_MACHINE: Final = ROOT / "functions" / "delete" / "delete_organization.asl.json"
LISTEN_ON_BRIDGE: Final = "Start it with STACK_HOSTS=127.0.0.1,{} make up"
URL_SUFFIX: Final = "_URL"  # of a variable with the URL of a queue
BRIDGE: Final = "docker0"
USUAL_BRIDGE_ADDRESS: Final = "172.17.0.1"


def main() -> int:
    """Invoke all samples, report each answer, and fail if one is missing."""
    if problem := find_problem(ROOT / (os.environ.get("STACK_DIR") or ".local")):
        print(problem, file=sys.stderr)
        return 1
    samples = list(find_samples())
    wrong = [sample for sample in samples if not answers(sample)]
    print(f"{len(samples) - len(wrong)} of {len(samples)} samples answered under sam local")
    return 1 if wrong else 0


def find_samples() -> Iterator[Path]:
    """Yield the samples of each function that the stack has. A condition of the template leaves `bootstrap` out."""
    deployed, ids = json.loads(variables_file().read_text(encoding="utf-8")), function_ids(ROOT)
    for sample in sorted((ROOT / "events").glob("*/*.json")):
        if ids[sample.parent.name] in deployed:
            yield sample


def find_problem(stack: Path) -> str | None:
    """Return the missing part and its remedy in one line, or None if everything is there."""
    bridge = find_bridge_address()
    start = LISTEN_ON_BRIDGE.format(bridge or USUAL_BRIDGE_ADDRESS)
    try:
        image = f"public.ecr.aws/lambda/python:3.13-{machine_architecture()}"
        docker.from_env().images.get(image)
    except ImageNotFound:
        return f"The Docker engine has no image {image}. Get it with: docker pull {image}"
    except DockerException as error:
        return f"No Docker engine answers, and sam local needs one: start Docker, or set DOCKER_HOST. ({error})"
    try:
        port = json.loads((stack / "ports.json").read_text(encoding="utf-8"))["aws"]
    except (OSError, ValueError, KeyError):
        return f"No stack runs in {stack}. {start}"
    if bridge and not listens(bridge, port):
        return f"The stack does not listen on the Docker bridge. {start}"
    return None


def find_bridge_address() -> str | None:
    """Return this machine's address on the Docker bridge, or None if there is no bridge."""
    found = psutil.net_if_addrs().get(BRIDGE, [])
    return next((address.address for address in found if address.family == socket.AF_INET), None)


def listens(host: str, port: int) -> bool:
    """Tell whether a server listens on *port* of *host*."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def answers(sample: Path) -> bool:
    """Tell whether the sample's function answers it, and print the answer in short."""
    function = function_ids(ROOT)[sample.parent.name]
    variables = json.loads(variables_file().read_text(encoding="utf-8"))[function]
    try:
        done = subprocess.run(
            command(function),
            input=with_queues(sample.read_text(encoding="utf-8"), variables),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        verdict = f"failed: no answer in {TIMEOUT_SECONDS} s"
    else:
        lines = done.stdout.strip().splitlines()
        verdict = judge(lines[-1]) if done.returncode == 0 and lines else f"failed: {done.stderr.strip()}"
    print(f"{sample.parent.name}/{sample.stem}: {verdict}", flush=True)
    return not verdict.startswith("failed")


def variables_file() -> Path:
    """Return the file in which the stack wrote the variables of the functions."""
    return ROOT / (os.environ.get("STACK_DIR") or ".local") / "env.json"


def with_queues(event: str, variables: Mapping[str, str]) -> str:
    """Return *event* with the names of the stack's queues in its ARNs.

    A sample names the queue in the variable `DEAD_LETTERS_URL` `dead-letters`, and so on.
    """
    for variable, url in variables.items():
        if variable.endswith(URL_SUFFIX):
            name = variable.removesuffix(URL_SUFFIX).lower().replace("_", "-")
            event = event.replace(f':{name}"', f':{url.rpartition("/")[2]}"')
    return event


def command(function: str) -> list[str]:
    """Return the command line of docs/operations.md, which reads the event from its input.

    Its options are in samconfig.toml.
    """
    line = [str(Path(sys.executable).with_name("sam")), "local", "invoke", function, "-e", "-", "--config-env", "local"]
    if stack := os.environ.get("STACK_DIR"):
        template = str(ROOT / stack / "build/template.yaml")
        line += ["--template-file", template, "--env-vars", str(variables_file())]
    return line


def judge(answer: str) -> str:
    """Describe the last line of a function's output, which is its answer or an error."""
    try:
        document: Any = json.loads(answer)
    except ValueError:
        return f"failed: {answer}"
    if isinstance(document, dict) and "errorMessage" in document:
        refusal = document["errorMessage"] == REFUSED or document.get("errorType") in expected_errors()
        return "refused" if refusal else f"failed: {answer}"
    if isinstance(document, dict) and "statusCode" in document:
        status = document["statusCode"]
        return f"failed: {answer}" if status >= FIRST_FAULT else f"answered {status}"
    return "done"


def expected_errors() -> set[str]:
    """Return the errors that the deletion's state machine catches by name.

    Each is an answer about a deletion that is outdated.
    """
    states: dict[str, Any] = json.loads(STATE_MACHINE.read_text(encoding="utf-8"))["States"]
    catches = [catch for state in states.values() for catch in state.get("Catch", [])]
    return {name for catch in catches for name in catch["ErrorEquals"] if not name.startswith("States.")}


if __name__ == "__main__":
    sys.exit(main())
