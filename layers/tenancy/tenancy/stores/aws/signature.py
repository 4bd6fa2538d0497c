"""Signatures of AWS, version 4, for calls of the JSON protocol: a POST without a query.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. botocore and the AWS CRT
sign as well, but the import of either takes as long as half of all other imports of the authorizer.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Self

from tenancy.errors import UnavailableError

ALGORITHM: Final = "AWS4-HMAC-SHA256"
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
    path: str = "/",
) -> dict[str, str]:
    """Return *headers* with those that sign them, *host*, *body* and *path*, whose characters need no encoding."""
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    day = moment[:8]
    signed = {**headers, "Host": host, "X-Amz-Date": moment}
    if credentials.session_token:
        signed["X-Amz-Security-Token"] = credentials.session_token
    lines = sorted((name.lower(), value.strip()) for name, value in signed.items())
    names = ";".join(name for name, _ in lines)
    canonical_headers = "".join(f"{name}:{value}\n" for name, value in lines)
    canonical = f"POST\n{path}\n\n{canonical_headers}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(credentials.secret_access_key, day, region, service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    signed["Authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return signed


@lru_cache(KEYS_KEPT)
def _signing_key(secret_access_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_access_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
