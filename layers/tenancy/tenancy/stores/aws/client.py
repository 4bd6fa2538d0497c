"""A small AWS client: the JSON protocol over one kept connection.

An import of boto3 takes longer than all other imports of ingest (docs/performance.md). boto3 is used for S3, SES, API
Gateway and the Parameter Store.
"""

import time
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.stores.aws.connection import Connection
from tenancy.stores.aws.signature import AwsCredentials, PostSigner

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
        self._connection = Connection(url)
        self._signers: dict[tuple[str, str], PostSigner] = {}

    def call(self, target: str, document: dict[str, Any], *, json_version: str = "1.0") -> dict[str, Any]:
        """Call *target* (`AmazonSQS.SendMessage`) and return its answer.

        Use it for idempotent calls only. If the connection breaks during the call, the call is sent once more.

        Raises:
            AwsCallError: the service rejected the call.
            UnavailableError: the service is unreachable, throttles its callers, or answered with a server error.
        """
        body = msgspec.json.encode(document)
        lines = self._signer(target, json_version).header_lines(body, at_seconds=time.time())
        try:
            status, answer = self._post(lines, body)
        except OSError as error:
            raise UnavailableError(f"The AWS service {self._service} is unreachable.") from error
        return self._parse(status, answer)

    def close(self) -> None:
        """Close the connection. The next call opens a new one."""
        self._connection.close()

    def _post(self, header_lines: str, body: bytes) -> tuple[int, bytes]:
        try:
            return self._connection.post(header_lines, body)
        except ConnectionError:
            return self._connection.post(header_lines, body)

    def _signer(self, target: str, json_version: str) -> PostSigner:
        """Return the signer of the calls of *target*.

        It keeps the credentials: Lambda sets them in the environment once, when the process starts.
        """
        signer = self._signers.get((target, json_version))
        if signer is None:
            headers = {"Content-Type": f"application/x-amz-json-{json_version}", "X-Amz-Target": target}
            signer = self._signers[target, json_version] = PostSigner(
                headers, AwsCredentials.from_env(), host=self._host, region=self._region, service=self._service
            )
        return signer

    def _parse(self, status: int, answer: bytes) -> dict[str, Any]:
        document: dict[str, Any] = msgspec.json.decode(answer) if answer.startswith(b"{") else {}
        if status >= SERVER_ERROR:
            raise UnavailableError(f"The AWS service {self._service} answered with status {status}.")
        if status != HTTPStatus.OK:
            code = str(document.get("__type", status)).rpartition("#")[2]
            if code in THROTTLED:
                raise UnavailableError(f"The AWS service {self._service} throttles its callers.")
            raise AwsCallError(code, str(document.get("message") or document.get("Message") or ""))
        return document
