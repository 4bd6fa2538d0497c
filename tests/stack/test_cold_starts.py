"""The script that measures cold starts on AWS, against a server with Lambda's calls.."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from scripts.cold_starts import VARIABLE, MeasuredFunction, describe

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = {"BASE_DOMAIN": "attribution.example", "AWS_ENDPOINT_URL": ""}
FUNCTIONS = {"stack-Ingest-1": "Ingest", "stack-Load-1": "Load"}
RESOURCES = "".join(
    f"<member><LogicalResourceId>{name}</LogicalResourceId><PhysicalResourceId>{function}</PhysicalResourceId>"
    "<ResourceType>AWS::Lambda::Function</ResourceType></member>"
    for function, name in FUNCTIONS.items()
)
STACK_ANSWER = (
    "<ListStackResourcesResponse><ListStackResourcesResult><StackResourceSummaries>"
    f"{RESOURCES}</StackResourceSummaries></ListStackResourcesResult></ListStackResourcesResponse>"
)


class LambdaHandler(BaseHTTPRequestHandler):
    """Lambda's calls for the functions of one stack. A change of the variables makes the next call a cold start."""

    protocol_version = "HTTP/1.1"
    variables: ClassVar[dict[str, dict[str, str]]] = {}
    cold: ClassVar[set[str]] = set()
    calls: ClassVar[list[str]] = []
    called: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        self._answer(self._configuration())

    def do_PUT(self) -> None:
        function = self._function()
        self.variables[function] = json.loads(self._body())["Environment"]["Variables"]
        self.cold.add(function)
        self._answer(self._configuration())

    def do_POST(self) -> None:
        body = self._body()
        if "/functions/" not in self.path:
            return self._send(STACK_ANSWER.encode(), "text/xml")
        function = self._function()
        log = "REPORT RequestId: 1 Duration: 2.00 ms" + (" Init Duration: 321.50 ms" if function in self.cold else "")
        self.cold.discard(function)
        self.calls.append(body.decode())
        self.called.set()
        self._answer({"errorMessage": "refused"}, **{"X-Amz-Log-Result": base64.b64encode(log.encode()).decode()})
        return None

    def log_message(self, *_: object) -> None:
        pass

    def _function(self) -> str:
        return self.path.split("/functions/")[1].split("/")[0]

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _configuration(self) -> dict[str, Any]:
        variables = self.variables[self._function()]
        return {"LastUpdateStatus": "Successful", "State": "Active", "Environment": {"Variables": variables}}

    def _answer(self, document: dict[str, Any], **headers: str) -> None:
        wrapped = {"Configuration": document, **document}  # GetFunction and GetFunctionConfiguration
        self._send(json.dumps(wrapped).encode(), "application/json", **headers)

    def _send(self, body: bytes, content_type: str, **headers: str) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def aws_url() -> Iterator[str]:
    LambdaHandler.variables = {name: dict(VARIABLES) for name in FUNCTIONS}
    LambdaHandler.calls.clear()
    LambdaHandler.called.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), LambdaHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def start(aws_url: str, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"AWS_ENDPOINT_URL": aws_url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "t"}
    command = [sys.executable, "-m", "scripts.cold_starts", "stack", "--region", "eu-central-1", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def test_every_function_is_started_anew(aws_url: str) -> None:
    with start(aws_url, "--starts", "3") as done:
        printed, _ = done.communicate()

    assert done.returncode == 0
    assert {line.split()[0] for line in printed.splitlines()} == set(FUNCTIONS.values())
    assert printed.count("p50     322 ms   p99     322 ms   3 cold starts") == len(FUNCTIONS)
    assert LambdaHandler.calls == ['{"Records": []}'] * 3 * len(FUNCTIONS)


def test_variables_are_restored(aws_url: str) -> None:
    LambdaHandler.variables["stack-Load-1"][VARIABLE] = "7"  # of a run that was killed

    with start(aws_url, "--starts", "1") as done:
        done.communicate()

    assert LambdaHandler.variables == dict.fromkeys(FUNCTIONS, VARIABLES)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_restores_the_variables(aws_url: str, number: int) -> None:
    with start(aws_url, "--starts", "100000") as done:
        assert LambdaHandler.called.wait(60)
        done.send_signal(number)
        done.communicate()

    assert done.returncode == 1
    assert LambdaHandler.variables == dict.fromkeys(FUNCTIONS, VARIABLES)


def test_percentiles_are_measured_values() -> None:
    measured = MeasuredFunction(name="Ingest", milliseconds=[float(number) for number in range(1, 101)])

    assert (measured.percentile(0.5), measured.percentile(0.99)) == (50, 99)


def test_calls_without_a_cold_start_are_said() -> None:
    assert describe(MeasuredFunction(name="Load", without_init=3)).endswith("no cold start among 3 calls")
