"""A small AWS client: the JSON protocol over one kept connection.

An import of boto3 takes longer than all other imports of ingest (docs/performance.md). boto3 is used for SES, API
Gateway, the Parameter Store and all calls of S3 but one.
"""

import time
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.durations import AWS_CALL_TIMEOUT_SECONDS
from tenancy.stores.aws.connection import Connection
from tenancy.stores.aws.signature import AwsCredentials, RequestSigner

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

    def __init__(
        self,
        service: str,
        region: str,
        endpoint_url: str | None = None,
        *,
        timeout_seconds: float = AWS_CALL_TIMEOUT_SECONDS,
    ) -> None:
        """Sign for *service*, which is named as in its signature (`sqs`, `secretsmanager`)."""
        url = urlsplit(endpoint_url or f"https://{service}.{region}.amazonaws.com")
        self._service = service
        self._region = region
        self._host = url.netloc
        self._connection = Connection(url, timeout_seconds)
        self._signers: dict[tuple[str, ...], RequestSigner] = {}

    def call(self, target: str, document: dict[str, Any], *, json_version: str = "1.0") -> dict[str, Any]:
        """Call *target* (`AmazonSQS.SendMessage`) and return its answer.

        Use it for idempotent calls only. If the connection breaks during the call, the call is sent once more.

        Raises:
            AwsCallError: the service rejected the call.
            UnavailableError: the service is unreachable, throttles its callers, or answered with a server error.
        """
        body = msgspec.json.encode(document)
        headers = {"Content-Type": f"application/x-amz-json-{json_version}", "X-Amz-Target": target}
        try:
            status, answer = self._send(self._signer((target, json_version), headers), body)
        except OSError as error:
            raise UnavailableError(f"The AWS service {self._service} is unreachable.") from error
        return self._parse(status, answer)

    def invoke(self, path: str, document: dict[str, Any], *, is_idempotent: bool) -> dict[str, Any]:
        """Call Lambda's *path* of a function, and return the function's answer or its error.

        A call that is not *is_idempotent* is sent once, over a new connection: a kept one may be closed already.

        Raises:
            AwsCallError: Lambda rejected the call.
            UnavailableError: Lambda is unreachable, throttles its callers, or answered with a server error.
        """
        body = msgspec.json.encode(document)
        signer = self._signer((path,), {"Content-Type": "application/json"}, path)
        try:
            if is_idempotent:
                status, answer = self._send(signer, body)
            else:
                self.close()
                lines = signer.header_lines(body, at_seconds=time.time())
                status, answer = self._connection.post(lines, body, path)
        except OSError as error:
            raise UnavailableError(f"The AWS service {self._service} is unreachable.") from error
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise UnavailableError(f"The AWS service {self._service} throttles its callers.")
        return self._parse(status, answer)

    def put_new(self, path: str, body: bytes) -> bool:
        """Store *body* at S3's *path* if there is no such object. Return whether it was stored.

        Raises:
            UnavailableError: S3 rejected the call, is unreachable, or another call stores the same object.
        """
        digest = sha256(body).hexdigest()
        headers = {"Content-Type": "application/json", "If-None-Match": "*", "X-Amz-Content-Sha256": digest}
        place = {"region": self._region, "service": self._service}
        signer = RequestSigner(headers, AwsCredentials.from_env(), host=self._host, path=path, method="PUT", **place)
        try:
            status, _ = self._send(signer, body, "PUT")
        except OSError as error:
            raise UnavailableError("S3 is unreachable.") from error
        if status not in {HTTPStatus.OK, HTTPStatus.PRECONDITION_FAILED}:
            raise UnavailableError(f"S3 did not store the object: it answered with status {status}.")
        return status == HTTPStatus.OK

    def close(self) -> None:
        """Close the connection. The next call opens a new one."""
        self._connection.close()

    def _send(self, signer: RequestSigner, body: bytes, method: str = "POST") -> tuple[int, bytes]:
        lines = signer.header_lines(body, at_seconds=time.time())
        try:
            return self._connection.post(lines, body, signer.path, method=method)
        except ConnectionError:
            return self._connection.post(lines, body, signer.path, method=method)

    def _signer(self, operation: tuple[str, ...], headers: Mapping[str, str], path: str = "/") -> RequestSigner:
        """Return the signer of all calls of *operation*, whose *headers* and *path* are the same.

        It keeps the credentials: Lambda sets them in the environment once, when the process starts.
        """
        signer = self._signers.get(operation)
        if signer is None:
            credentials, place = AwsCredentials.from_env(), {"region": self._region, "service": self._service}
            signer = RequestSigner(headers, credentials, host=self._host, path=path, **place)
            self._signers[operation] = signer
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
