"""Signatures of AWS, version 4: of requests without a query, and of links.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. botocore and the AWS CRT
sign as well, but the import of either takes as long as half of all other imports of the authorizer.
"""

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Final, Self
from urllib.parse import quote

from tenancy.errors import UnavailableError

ALGORITHM: Final = "AWS4-HMAC-SHA256"
DATE_HEADER: Final = "X-Amz-Date"
DAY_LENGTH: Final = len("20261124")
PLACE: Final = "\0"  # of the time in a text. No header value contains this character.
MOMENTS_KEPT: Final = 4
KEYS_KEPT: Final = 16  # of the services that a function calls, today's and yesterday's


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsCredentials:
    """The credentials of a function's role. A session token belongs to temporary ones."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls) -> Self:
        """Read the variables that Lambda sets in every process.

        Raises:
            UnavailableError: they are not set.
        """
        try:
            return cls(
                access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
                secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
                session_token=os.environ.get("AWS_SESSION_TOKEN"),
            )
        except KeyError as error:
            raise UnavailableError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set.") from error


class RequestSigner:
    """Signs requests with the same *headers*. Parts of the text that depend on neither day nor body are built once."""

    def __init__(
        self,
        headers: Mapping[str, str],
        credentials: AwsCredentials,
        *,
        host: str,
        region: str,
        service: str,
        path: str = "/",
        method: str = "POST",
    ) -> None:
        """Sign *method*, *headers*, *host*, *path*, the time and the body of each request.

        *path* is percent-encoded, and the values of *headers* have single spaces. All services but S3 encode the path
        once more in the text that they sign.
        """
        self.path = path
        fixed = {**headers, "Host": host}
        if credentials.session_token:
            fixed["X-Amz-Security-Token"] = credentials.session_token
        lines = sorted((name.lower(), value.strip()) for name, value in {**fixed, DATE_HEADER: PLACE}.items())
        self._names = ";".join(name for name, _ in lines)
        canonical_headers = "".join(f"{name}:{value}\n" for name, value in lines)
        signed_path = path if service == "s3" else path.replace("%", "%25")
        canonical = f"{method}\n{signed_path}\n\n{canonical_headers}\n{self._names}\n"
        self._before_date, self._after_date = canonical.rsplit(PLACE, 1)
        self._fixed_lines = "".join(f"{name}: {value}\r\n" for name, value in fixed.items())
        self._credentials = credentials
        self._place = region, service

    def header_lines(self, body: bytes, *, at_seconds: float) -> str:
        """Return the lines of all headers for *body* at that Unix time, each with its line end."""
        region, service = self._place
        moment = _moment_text(int(at_seconds))
        canonical = f"{self._before_date}{moment}{self._after_date}{sha256(body).hexdigest()}"
        scope, signature = _sign(canonical, self._credentials, moment=moment, region=region, service=service)
        return (
            f"{self._fixed_lines}{DATE_HEADER}: {moment}\r\n"
            f"Authorization: {ALGORITHM} Credential={self._credentials.access_key_id}/{scope}, "
            f"SignedHeaders={self._names}, Signature={signature}\r\n"
        )


@lru_cache(MOMENTS_KEPT)
def _moment_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def presign_get(
    path: str,
    credentials: AwsCredentials,
    *,
    host: str,
    region: str,
    service: str,
    valid_for: timedelta,
    now: datetime,
) -> str:
    """Return *path*, percent-encoded, with a query that signs a GET of it at *host*, for *valid_for* from *now*.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    moment = _moment_text(int(now.timestamp()))
    members = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key_id}/{_scope(moment, region, service)}",
        DATE_HEADER: moment,
        "X-Amz-Expires": str(int(valid_for.total_seconds())),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.session_token:
        members["X-Amz-Security-Token"] = credentials.session_token
    encoded = quote(path, safe="/~")
    query = "&".join(f"{name}={quote(value, safe='~')}" for name, value in sorted(members.items()))
    canonical = f"GET\n{encoded}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    _, signature = _sign(canonical, credentials, moment=moment, region=region, service=service)
    return f"{encoded}?{query}&X-Amz-Signature={signature}"


def _scope(moment: str, region: str, service: str) -> str:
    return f"{moment[:DAY_LENGTH]}/{region}/{service}/aws4_request"


def _sign(canonical: str, credentials: AwsCredentials, *, moment: str, region: str, service: str) -> tuple[str, str]:
    """Return the scope and the signature of the *canonical* request."""
    scope = _scope(moment, region, service)
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(credentials.secret_access_key, moment[:DAY_LENGTH], region, service)
    return scope, hmac.digest(key, text.encode(), "sha256").hex()


@lru_cache(KEYS_KEPT)
def _signing_key(secret_access_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_access_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
