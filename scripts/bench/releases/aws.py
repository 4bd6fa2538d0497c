"""A stand-in for AWS that any release can use.

It has secrets, SQS, the Parameter Store, API Gateway's keys, and S3. It accepts every call and stores nothing. Other
stand-ins speak the JSON protocol only.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final, override

PLANS: Final = ("starter", "growth", "enterprise", "custom")


class ReleaseAws:
    """The secrets of one release by name, and the number of calls so far."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """Answer with *secrets*."""
        self._secrets = secrets
        self.calls = 0
        self.url = ""

    def answer(self, method: str, path: str, target: str, body: bytes) -> dict[str, Any]:
        """Return a successful answer to any call."""
        self.calls += 1
        match target:
            case "AmazonSQS.SendMessageBatch":
                entries = json.loads(body)["Entries"]
                return {"Successful": [{"Id": entry["Id"], "MessageId": entry["Id"]} for entry in entries]}
            case "AmazonSSM.GetParametersByPath":
                return {"Parameters": [{"Name": f"/plans/{plan}", "Value": plan} for plan in PLANS]}
            case "secretsmanager.GetSecretValue":
                name = json.loads(body)["SecretId"].rpartition("/")[2]
                return {"SecretString": self._secrets[name], "VersionId": "1"}
        if path.startswith("/apikeys"):
            return {"item": []} if method == "GET" else {"id": "key"}
        return {}


@contextmanager
def release_aws(secrets: Mapping[str, str]) -> Iterator[ReleaseAws]:
    """Yield a stand-in with *secrets* that serves in threads of this process."""
    aws = ReleaseAws(secrets)

    class Handler(_Handler):
        state = aws

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        aws.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield aws
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    """The calls of one client, over one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    state: ReleaseAws

    def do_GET(self) -> None:
        """Answer a call."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a call."""
        self._answer()

    def do_PUT(self) -> None:
        """Answer a call."""
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.state.answer(self.command, self.path, self.headers.get("X-Amz-Target", ""), body)
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
