"""A small AWS client: the JSON protocol over one kept connection.

The hot path uses it because an import of boto3 takes longer than all other imports of ingest (docs/performance.md). All
other code uses boto3.
"""

import http.client
import json
import ssl
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.durations import AWS_CALL_TIMEOUT_SECONDS
from tenancy.stores.aws.signature import AwsCredentials, sign_post

SERVER_ERROR: Final = 500
# Refusals that pass by themselves: "Common error types" of the services, and "RequestThrottled" of SQS.
THROTTLED: Final = frozenset({
    "ThrottlingException", "Throttling", "ThrottledException", "RequestThrottled", "RequestLimitExceeded",
    "TooManyRequestsException",
})  # fmt: skip


class AwsClient:
    """A client of one service in one region. Its connection opens at the first call.

    *endpoint_url* replaces the host of AWS. The local stack uses it.
    """

    def __init__(self, service: str, region: str, endpoint_url: str | None = None) -> None:
        """Sign for *service*, which is named as in its signature (`sqs`, `secretsmanager`)."""
        url = urlsplit(endpoint_url or f"https://{service}.{region}.amazonaws.com")
        self._service = service
        self._region = region
        self._host = url.netloc
        self._connection = (
            http.client.HTTPSConnection(url.netloc, timeout=AWS_CALL_TIMEOUT_SECONDS, context=_tls())
            if url.scheme == "https"
            else http.client.HTTPConnection(url.netloc, timeout=AWS_CALL_TIMEOUT_SECONDS)
        )

    def call(self, target: str, document: dict[str, Any], *, json_version: str = "1.0") -> dict[str, Any]:
        """Call *target* (`AmazonSQS.SendMessage`) and return its answer.

        Use it for idempotent calls only. If the connection breaks during the call, the call is sent once more.

        Raises:
            AwsCallError: the service rejected the call.
            UnavailableError: the service is unreachable, throttles its callers, or answered with a server error.
        """
        body = json.dumps(document).encode()
        headers = {"Content-Type": f"application/x-amz-json-{json_version}", "X-Amz-Target": target}
        try:
            status, answer = self._post(body, headers)
        except (http.client.RemoteDisconnected, ConnectionError, http.client.CannotSendRequest):
            self._connection.close()
            status, answer = self._retry(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise UnavailableError(f"The AWS service {self._service} is unreachable.") from error
        return self._parse(status, answer)

    def close(self) -> None:
        """Close the connection. The next call opens a new one."""
        self._connection.close()

    def _retry(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            return self._post(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise UnavailableError(f"The AWS service {self._service} is unreachable.") from error

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request("POST", "/", body, self._signed(body, headers))
        response = self._connection.getresponse()
        return response.status, response.read()

    def _signed(self, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        credentials, now = AwsCredentials.from_env(), datetime.now(UTC)
        return sign_post(
            headers, body, credentials, host=self._host, region=self._region, service=self._service, now=now
        )

    def _parse(self, status: int, answer: bytes) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(answer) if answer.startswith(b"{") else {}
        if status >= SERVER_ERROR:
            raise UnavailableError(f"The AWS service {self._service} answered with status {status}.")
        if status != http.client.OK:
            code = str(document.get("__type", status)).rpartition("#")[2]
            if code in THROTTLED:
                raise UnavailableError(f"The AWS service {self._service} throttles its callers.")
            raise AwsCallError(code, str(document.get("message") or document.get("Message") or ""))
        return document


@cache
def _tls() -> ssl.SSLContext:
    """Return the TLS context of all services.

    It is cached because reading the trusted certificates is slow.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
