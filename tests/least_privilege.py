"""Compare the permissions of the functions with the calls of a whole run of the tests.

A run of all tests, or of all but the exhaustive ones as in `make test`, fails if a function made a call that its role
does not allow, or if its role allows a call that no test needs. A run of the exhaustive tests fails for the first
reason only. A run of single files records too, and compares nothing.
"""

import json
import os
import urllib.request
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from scripts.stack import aws
from scripts.stack.bridge.permissions import CALLS_PATH
from scripts.stack.deployment import function_ids, function_variables
from tests.given import ROOT
from tests.recorded_calls import CALLS, Call, caller_of, record_calls
from tests.template.granted import compare, granted, list_lacking, polled

STACK_FILE = ROOT / os.environ.get("STACK_DIR", ".local") / "stack.json"
SECONDS = 30
POLLS = "Lambda reads the queue of an event source under the function's role."
RELEASE_BEFORE = "Code of the release before reads it for minutes after a deploy changed the policy."
MISSING_OBJECT = "S3 answers 404 for a missing object only to callers that may list the bucket, and 403 to others."
ANY_VERSION = "S3 asks for it also where DeleteObjects names a version (DeleteObjects, API reference)."
MAILED_LINK = (
    "A link in a mail has the permissions of the role that signed it. tests/use_cases/test_export.py follows it."
)
REGISTERED_LATER = "The request writes the entry. The sweep writes it if S3 was unreachable then."
# The selections by which `make test` and `make test-exhaustive` run all tests together.
WITHOUT_EXHAUSTIVE, EXHAUSTIVE = "not exhaustive", "exhaustive"
# Permissions that no test of a function needs, and why they stay.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "authorizer: secretsmanager:GetSecretValue on secretsmanager:secret:SecretsPrefix/database": RELEASE_BEFORE,
        "dead_letters: s3:ListBucket on s3:DeadLettersBucket": MISSING_OBJECT,
        "erase: s3:DeleteObject on s3:ExportsBucket/*, s3:DeadLettersBucket/*": ANY_VERSION,
        "privacy_jobs: s3:DeleteObject on s3:ExportsBucket/*": ANY_VERSION,
        "privacy_jobs: s3:ListBucket on s3:DeadLettersBucket": MISSING_OBJECT,
    }
)
# Permissions that one run needs and another one does not, because either of two functions may do the work.
SOMETIMES: Mapping[str, str] = MappingProxyType(
    {
        "sweep: s3:GetObject on s3:ExportsBucket/*": MAILED_LINK,
        "sweep: s3:PutObject on s3:RegisterBucket/deletions/*": REGISTERED_LATER,
    }
)


class LeastPrivilege:
    """The plugin. Workers of xdist hand their records to the process that started them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._is_worker = hasattr(config, "workerinput")
        self._has_stack = STACK_FILE.exists()
        self._lines: list[str] = []

    def pytest_sessionstart(self) -> None:
        record_calls()
        if self._is_whole_run() and self._has_stack:
            _request("DELETE")

    def pytest_testnodedown(self, node: pytest.Item) -> None:
        CALLS.update(tuple(call) for call in getattr(node, "workeroutput", {}).get("calls", []))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._is_worker:
            output: dict[str, Any] = vars(self._config)["workeroutput"]
            output["calls"] = sorted(CALLS)
        elif self._is_whole_run() and exitstatus == pytest.ExitCode.OK:
            if self._has_stack:
                CALLS.update(deployed_calls())
            self._lines = self._compare()
            if self._lines:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._lines:
            terminalreporter.section("permissions (tests/least_privilege.py)")
            for line in self._lines:
                terminalreporter.write_line(line)

    def _compare(self) -> list[str]:
        if self._config.option.markexpr == EXHAUSTIVE:
            return list_lacking(granted(), CALLS)
        return compare(granted(), CALLS, {**REASONS, **dict.fromkeys(polled(), POLLS)}, SOMETIMES)

    def _is_whole_run(self) -> bool:
        options = self._config.option
        selections = ("keyword", "deselect", "collectonly", "lf", "stepwise", "maxfail")
        return (
            not self._is_worker
            and self._config.args_source is pytest.Config.ArgsSource.TESTPATHS
            and options.markexpr in {"", WITHOUT_EXHAUSTIVE, EXHAUSTIVE}
            and not any(getattr(options, name, None) for name in selections)
        )


def deployed_calls() -> Iterator[Call]:
    """Yield the calls of the deployed functions since the run began."""
    url = json.loads(STACK_FILE.read_text())["aws_endpoint_url"]
    folders = {logical_id: folder for folder, logical_id in function_ids(ROOT).items()}
    resources = aws.client("cloudformation", url).describe_stack_resources(StackName=aws.STACK)["StackResources"]
    values = function_variables(url)
    callers = {
        each["PhysicalResourceId"]: caller_of(folders[name], values[name])
        for each in resources
        if (name := each["LogicalResourceId"]) in folders
    }
    for name, action, resource in json.loads(_request("GET")):
        if name in callers:
            yield callers[name].named((action, resource))


def _request(method: str) -> bytes:
    url = json.loads(STACK_FILE.read_text())["aws_endpoint_url"]
    request = urllib.request.Request(f"{url}{CALLS_PATH}", method=method)
    with urllib.request.urlopen(request, timeout=SECONDS) as response:
        answer: bytes = response.read()
    return answer
