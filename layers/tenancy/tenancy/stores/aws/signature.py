"""Signatures of AWS, version 4: of calls of the JSON protocol, which POST to the path `/`, and of links.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. botocore and the AWS CRT
sign as well, but the import of either takes as long as half of all other imports of the authorizer.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Self
from urllib.parse import quote

from tenancy.errors import UnavailableError

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SIGNING_TIME_FORMAT: Final = "%Y%m%dT%H%M%SZ"
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


def sign_post(
    headers: Mapping[str, str],
    body: bytes,
    credentials: AwsCredentials,
    *,
    host: str,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """Return *headers* with those that sign them, *host* and *body*."""
    moment = now.astimezone(UTC).strftime(SIGNING_TIME_FORMAT)
    signed = {**headers, "Host": host, "X-Amz-Date": moment}
    if credentials.session_token:
        signed["X-Amz-Security-Token"] = credentials.session_token
    lines = sorted((name.lower(), value.strip()) for name, value in signed.items())
    names = ";".join(name for name, _ in lines)
    canonical_headers = "".join(f"{name}:{value}\n" for name, value in lines)
    canonical = f"POST\n/\n\n{canonical_headers}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = _scope(moment, region, service)
    signature = _signature(canonical, credentials, moment=moment, region=region, service=service)
    signed["Authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return signed


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
    moment = now.astimezone(UTC).strftime(SIGNING_TIME_FORMAT)
    members = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key_id}/{_scope(moment, region, service)}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(int(valid_for.total_seconds())),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.session_token:
        members["X-Amz-Security-Token"] = credentials.session_token
    encoded = quote(path, safe="/~")
    query = "&".join(f"{name}={quote(value, safe='~')}" for name, value in sorted(members.items()))
    canonical = f"GET\n{encoded}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    signature = _signature(canonical, credentials, moment=moment, region=region, service=service)
    return f"{encoded}?{query}&X-Amz-Signature={signature}"


def _scope(moment: str, region: str, service: str) -> str:
    return f"{moment[:8]}/{region}/{service}/aws4_request"


def _signature(canonical: str, credentials: AwsCredentials, *, moment: str, region: str, service: str) -> str:
    """Return the signature of the *canonical* request."""
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{ALGORITHM}\n{moment}\n{_scope(moment, region, service)}\n{digest}"
    key = _signing_key(credentials.secret_access_key, moment[:8], region, service)
    return hmac.digest(key, text.encode(), "sha256").hex()


@lru_cache(KEYS_KEPT)
def _signing_key(secret_access_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_access_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
