"""Move the aliases of a stack's functions to the versions of an earlier release, without CloudFormation.

Usage: ``python -m scripts.deploy.roll_back tenancy-production --region eu-central-1 --before 2026-11-29T12:00:00Z``
       ``python -m scripts.deploy.roll_back tenancy-production --region eu-central-1 --release 2026-11-28T09:30:00Z``
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import boto3
from botocore.exceptions import ClientError

from scripts.deploy.versions import (
    ALIAS,
    FunctionVersions,
    Version,
    complete_releases,
    list_functions,
    list_resources,
    parse_time,
)

SENDER: Final = "Ingest"
WRITERS: Final = ("HeldEvents", "Load", "Erase", "PrivacyJobs", "RollUp")  # to ClickHouse; a deploy moves them first
DEPLOY_ONLY: Final = frozenset({"Migrate", "Bootstrap"})  # CloudFormation alone invokes them
QUEUE: Final = "EventsQueue"
DRAIN_SECONDS: Final = 60
REMEDY: Final = (
    "Deploy the remedy with GradualDeployment=false. CodeDeploy refuses to shift an alias that it has not moved itself."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the releases, move all aliases to one of them, and return 1 if an alias did not move."""
    chosen = _parser().parse_args(arguments)
    aws_lambda = boto3.client("lambda", region_name=chosen.region)
    cloudformation = boto3.client("cloudformation", region_name=chosen.region)
    listed = list_functions(cloudformation, aws_lambda, chosen.stack)
    functions = [each for each in listed if each.logical_id not in DEPLOY_ONLY]
    print("\n".join(_describe(functions)), flush=True)
    complete = complete_releases(functions)
    earlier = [each for each in complete if chosen.before is None or each < chosen.before]
    release = chosen.release or max(earlier, default=None)
    if release is None or release not in complete:
        wanted = "that release" if chosen.release else "a release before that time"
        print(f"Not all functions have a version of {wanted}. No alias was changed.", file=sys.stderr)
        return 1
    queues = list_resources(cloudformation, chosen.stack, "AWS::SQS::Queue")
    drain = Drain(boto3.client("sqs", region_name=chosen.region), queues.get(QUEUE), chosen.drain_seconds)
    is_moved = move_all(aws_lambda, functions, release, drain)
    print(REMEDY)
    return 0 if is_moved else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.deploy.roll_back", description=__doc__.splitlines()[0])
    parser.add_argument("stack", help="the name of the CloudFormation stack")
    parser.add_argument("--region", help="the region of the stack; AWS_REGION or the profile's by default")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--before", type=_time, help="a time: the newest release before it that all functions have")
    target.add_argument("--release", type=_time, help="the time of a release, as the list of releases shows it")
    parser.add_argument(
        "--drain-seconds",
        type=int,
        default=DRAIN_SECONDS,
        help="the longest wait for an empty queue of events before Load moves (%(default)s)",
    )
    return parser


def _time(text: str) -> datetime:
    if found := parse_time(text):
        return found
    message = f"expected a time with its offset, such as 2026-11-29T12:00:00Z, not {text!r}"
    raise argparse.ArgumentTypeError(message)


def _describe(functions: Sequence[FunctionVersions]) -> Iterator[str]:
    """Yield a line for each release: its time, the number of functions with a version, and of live ones."""
    versions = [(each, version) for each in functions for version in each.versions if version.time]
    for release in sorted({version.time for _, version in versions if version.time}):
        having = [(each, version) for each, version in versions if version.time == release]
        live = sum(version.number in each.used for each, version in having)
        yield f"release {release:%Y-%m-%dT%H:%M:%SZ}: {len(having)} of {len(functions)} functions, live in {live}"


class Drain:
    """The wait until Load of the new release has stored the events that Ingest of the new release has sent."""

    def __init__(self, sqs: Any, queue_url: str | None, seconds: int) -> None:  # noqa: ANN401 - boto3's client
        """Wait for *queue_url* to be empty, at most *seconds*."""
        self._sqs = sqs
        self._queue_url = queue_url
        self._seconds = seconds

    def wait(self) -> None:
        """Return when the queue is empty or the time is over."""
        ends_at = time.monotonic() + self._seconds
        while self._queue_url and (messages := self._messages()):
            if time.monotonic() >= ends_at:
                print(
                    f"{QUEUE} still has {messages} messages. Load of the release before may move some to the "
                    "dead letters: redrive them after the next release (docs/operations.md, Dead letters).",
                    file=sys.stderr,
                )
                return
            time.sleep(1)

    def _messages(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def move_all(aws_lambda: Any, functions: Iterable[FunctionVersions], release: datetime, drain: Drain) -> bool:  # noqa: ANN401 - boto3's client
    """Move the aliases in the opposite order of a deploy, and return whether all have moved.

    Ingest of a new release may send events with columns that Load before does not know. So Ingest moves first, then all
    functions without such an order, and the writers after the events of the new release. If Ingest cannot be moved, the
    writers stay, too.
    """
    by_id = {each.logical_id: each for each in functions}
    writers = [by_id.pop(name) for name in WRITERS if name in by_id]
    sender = by_id.pop(SENDER, None)
    is_sender_moved = sender is None or move(aws_lambda, sender, release)
    others = [move(aws_lambda, each, release) for each in by_id.values()]
    if not is_sender_moved:
        for each in writers:
            print(f"{each.name}: unchanged, because {SENDER} is.", file=sys.stderr)
        return False
    drain.wait()
    return all([*others, *(move(aws_lambda, each, release) for each in writers)])


def move(aws_lambda: Any, function: FunctionVersions, release: datetime) -> bool:  # noqa: ANN401 - boto3's client
    """Move the alias of *function* to its version of *release*. Return whether that was possible or not necessary."""
    version = function.of_release(release)
    if version is None:
        print(f"{function.name}: newer than the release. Its alias is unchanged.")
        return True
    try:
        _update_alias(aws_lambda, function, version)
    except ClientError as error:
        print(f"{function.name}: its alias was not changed: {error}", file=sys.stderr)
        return False
    print(f"{function.name}: version {version.number}, release {version.release}", flush=True)
    return True


def _update_alias(aws_lambda: Any, function: FunctionVersions, version: Version) -> None:  # noqa: ANN401 - boto3's client
    aws_lambda.update_alias(
        FunctionName=function.name,
        Name=ALIAS,
        FunctionVersion=str(version.number),
        RoutingConfig={"AdditionalVersionWeights": {}},
    )


if __name__ == "__main__":
    sys.exit(main())
