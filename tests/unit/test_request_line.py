"""The log line of a request has the form of Powertools' Logger."""

import io
import json
import re
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from tenancy.gateway.request_line import write_request_line

FACTS: dict[str, Any] = {
    "method": "POST",
    "route": "/events",
    "status": 200,
    "request_id": "é",
    "organization_id": None,
    "accepted": 3,
}
LINES = io.StringIO()
LOGGER = Logger(service="powertools", stream=LINES)
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\+0000")


@pytest.mark.parametrize("trace", ["", "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1"])
def test_line_is_that_of_powertools(
    trace: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    LOGGER.info("request", **FACTS)
    expected = json.loads(LINES.getvalue().splitlines()[-1])

    write_request_line(FACTS)

    written = json.loads(capsys.readouterr().out)
    assert list(written) == list(expected)
    assert TIMESTAMP.fullmatch(written["timestamp"])
    assert (written["message"], written["service"]) == ("request", "tenancy")
    own = {"location": "", "timestamp": "", "service": ""}
    assert {**written, **own} == {**expected, **own}
