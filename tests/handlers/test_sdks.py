"""Real SDKs lose no call to an unusual text, number or path."""

import json
import subprocess
from pathlib import Path

import pytest
import segment.analytics

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount
from tests.handlers.function_server import serving
from tests.handlers.functions import Function, Start
from tests.handlers.queues import events_in


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/batch/"])
def test_node_sdk_loses_no_call(
    ingest: Function, aws: AwsAccount, acme: Provisioned, node: tuple[str, Path], path: str
) -> None:
    program, folder = node

    with serving(ingest) as url:
        command = [program, "unusual.mjs", url, acme.write_key.text, path]
        sent = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    assert (sent.returncode, json.loads(sent.stdout)) == (0, {"delivered": 8, "errors": []}), sent.stderr
    rows = events_in(aws.queue_url)
    names = ["a\ufffdb", "cut \ufffd", "NaN", '"Infinity"', "\\u0000", "\u2028", "Placeholder", "Zeros"]
    assert sorted(row.event_name for row in rows) == sorted(names)
    assert {row.device_id for row in rows} == {"device-1", "user-1"}


def test_python_sdk_loses_no_call_to_nan(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    errors: list[object] = []

    with serving(ingest) as url:
        client = segment.analytics.Client(
            acme.write_key.text, host=url, on_error=lambda error, _batch: errors.append(error)
        )
        for number in (float("nan"), float("inf"), float("-inf"), 1.25):
            client.track("user-1", f"NaN {number}", {"revenue": number, "note": "-Infinity"})
        client.flush()
        client.join()

    assert errors == []
    rows = {row.event_name: json.loads(row.properties)["revenue"] for row in events_in(aws.queue_url)}
    assert rows == {"NaN nan": None, "NaN inf": None, "NaN -inf": None, "NaN 1.25": 1.25}
