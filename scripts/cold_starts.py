"""Measure cold starts on AWS: ``python -m scripts.cold_starts tenancy-staging --region eu-central-1``.

Each function of the stack is started anew 50 times: a change of the environment variable COLD_START ends its execution
environments, and the next call starts one. The log of that call has the time of the start. Then the variables are as
before, also after Ctrl-C. If the process is killed, the next run removes the variable.

The event has no records, so that functions of requests and queues refuse it or do nothing. Functions with a schedule
(Sweep, PrivacyJobs, RollUp) and Migrate do their work once more, as after any call by hand.
"""

import argparse
import base64
import json
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any, Final

import boto3
from botocore.config import Config

STARTS: Final = 50
AT_ONCE: Final = 6  # functions. Lambda takes 15 changes a second of an account.
VARIABLE: Final = "COLD_START"
EVENT: Final = json.dumps({"Records": []}).encode()
INIT_DURATION: Final = re.compile(rb"Init Duration: ([0-9.]+) ms")
UPDATED_POLL_SECONDS: Final = 1
UPDATED_POLLS: Final = 120
CALLS: Final = Config(retries={"mode": "standard", "total_max_attempts": 8}, read_timeout=910)  # of 900 s at most


@dataclass(slots=True, kw_only=True)
class MeasuredFunction:
    """The milliseconds of the starts of one function.

    *without_init* counts the calls that no new execution environment answered.
    """

    name: str
    milliseconds: list[float] = field(default_factory=list)
    without_init: int = 0

    def percentile(self, share: float) -> float:
        """Return the smallest value that is at least as large as that *share* of all values."""
        ordered = sorted(self.milliseconds)
        return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all functions of a stack and print the times of their starts."""
    parser = argparse.ArgumentParser(prog="python -m scripts.cold_starts", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stack", help="the name of the CloudFormation stack")
    parser.add_argument("--region", help="the region of the stack; AWS_REGION or the profile's by default")
    parser.add_argument("--starts", type=int, default=STARTS, help="of each function (%(default)s)")
    chosen = parser.parse_args(arguments)
    make = partial(boto3.client, region_name=chosen.region, config=CALLS)
    functions = list_functions(make("cloudformation"), chosen.stack)
    stop = threading.Event()
    with _stopping(stop), ThreadPoolExecutor(AT_ONCE) as pool:
        client = make("lambda")
        jobs = [pool.submit(measure, client, each, name, chosen.starts, stop) for each, name in functions.items()]
        for job in as_completed(jobs):
            print(describe(job.result()), flush=True)
    return 1 if stop.is_set() else 0


def list_functions(cloudformation: Any, stack: str) -> Mapping[str, str]:  # noqa: ANN401 - boto3 makes its clients at run time
    """Return the logical id of each function of *stack* by its name."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        each["PhysicalResourceId"]: each["LogicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] == "AWS::Lambda::Function"
    }


def measure(client: Any, function: str, name: str, starts: int, stop: threading.Event) -> MeasuredFunction:  # noqa: ANN401
    """Start *function* anew so often, unless *stop* is set before, and restore its variables."""
    measured = MeasuredFunction(name=name)
    with _restored_variables(client, function) as variables:
        for number in range(starts):
            if stop.is_set():
                break
            _put_variables(client, function, {**variables, VARIABLE: str(number)})
            answer = client.invoke(FunctionName=function, LogType="Tail", Payload=EVENT)
            found = INIT_DURATION.search(base64.b64decode(answer.get("LogResult", "")))
            if found:
                measured.milliseconds.append(float(found[1]))
            else:
                measured.without_init += 1
    return measured


def describe(measured: MeasuredFunction) -> str:
    """Return one line about a function."""
    if not measured.milliseconds:
        return f"{measured.name:<20} no cold start among {measured.without_init} calls"
    p50, p99 = measured.percentile(0.5), measured.percentile(0.99)
    line = f"{measured.name:<20} p50 {p50:7.0f} ms   p99 {p99:7.0f} ms   {len(measured.milliseconds)} cold starts"
    return f"{line}, {measured.without_init} calls without one" if measured.without_init else line


@contextmanager
def _restored_variables(client: Any, function: str) -> Iterator[Mapping[str, str]]:  # noqa: ANN401
    """Yield the variables of *function*, and restore them afterwards."""
    environment = client.get_function_configuration(FunctionName=function).get("Environment", {})
    before = {name: value for name, value in environment.get("Variables", {}).items() if name != VARIABLE}
    try:
        yield before
    finally:
        _put_variables(client, function, before)


def _put_variables(client: Any, function: str, variables: Mapping[str, str]) -> None:  # noqa: ANN401
    """Set the variables when no other change is under way, and return when new calls have them."""
    waiter = client.get_waiter("function_updated_v2")
    patience = {"Delay": UPDATED_POLL_SECONDS, "MaxAttempts": UPDATED_POLLS}
    waiter.wait(FunctionName=function, WaiterConfig=patience)
    client.update_function_configuration(FunctionName=function, Environment={"Variables": dict(variables)})
    waiter.wait(FunctionName=function, WaiterConfig=patience)


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Set *stop* at Ctrl-C or an end of the process by SIGTERM, so that every function is restored first."""

    def set_stop(_number: int, _frame: FrameType | None) -> None:
        print("stopping: restoring the variables of all functions", file=sys.stderr, flush=True)
        stop.set()

    restore: list[Callable[[], object]] = [
        partial(signal.signal, number, signal.signal(number, set_stop)) for number in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        yield
    finally:
        for each in restore:
            each()


if __name__ == "__main__":
    sys.exit(main())
