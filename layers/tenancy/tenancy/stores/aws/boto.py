"""boto3's clients, with their time-outs and retries.

boto3 takes longer to import than all other modules of most functions. So the stores do not import it with their own
modules, which many functions import for a name. A store that a function makes imports it when the function starts.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from tenancy.rules.durations import (
    AWS_CONNECT_TIMEOUT_SECONDS,
    BOTO_READ_TIMEOUT_SECONDS,
    DEAD_LETTERS_READ_TIMEOUT_SECONDS,
    S3_READ_TIMEOUT_SECONDS,
)

type Style = Literal["path", "virtual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BotoConfig:
    """The time-outs and attempts of each call of a client."""

    connect_timeout: float = AWS_CONNECT_TIMEOUT_SECONDS
    read_timeout: float
    attempts: int
    signature_version: str | None = None


# One attempt. Four calls fit into provision's 29 seconds. The outbox retries the rest.
BOTO_CONFIG: Final = BotoConfig(read_timeout=BOTO_READ_TIMEOUT_SECONDS, attempts=1)
S3_CONFIG: Final = BotoConfig(read_timeout=S3_READ_TIMEOUT_SECONDS, attempts=2, signature_version="s3v4")
# One short attempt, because drain and the routes of dead letters end within a minute. SQS or the operator repeats it.
DEAD_LETTERS_CONFIG: Final = BotoConfig(
    read_timeout=DEAD_LETTERS_READ_TIMEOUT_SECONDS, attempts=1, signature_version="s3v4"
)


def load_boto() -> None:
    """Import boto3 before the first request needs it."""
    import boto3  # noqa: F401, PLC0415 - docs/decisions/0012-hot-path-imports.md


def make_client(service: str, region: str, config: BotoConfig, *, style: Style | None = None) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """Return a new client of *service*. *style* says where the URLs of S3 name the bucket."""
    import boto3  # noqa: PLC0415 - docs/decisions/0012-hot-path-imports.md
    from botocore.config import Config  # noqa: PLC0415

    made = Config(
        signature_version=config.signature_version,
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
        retries={"mode": "standard", "total_max_attempts": config.attempts},
        s3={"addressing_style": style} if style else None,
    )
    make: Any = boto3.client
    return make(service, region_name=region, config=made)
