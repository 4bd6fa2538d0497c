"""Time-outs and retries of every boto3 client."""

from typing import Final

from botocore.config import Config

from tenancy.rules.durations import (
    BOTO_CONNECT_TIMEOUT_SECONDS,
    BOTO_READ_TIMEOUT_SECONDS,
    DEAD_LETTERS_READ_TIMEOUT_SECONDS,
    S3_READ_TIMEOUT_SECONDS,
)

# One attempt. Four calls fit into provision's 29 seconds. The outbox retries the rest.
BOTO_CONFIG: Final = Config(
    connect_timeout=BOTO_CONNECT_TIMEOUT_SECONDS,
    read_timeout=BOTO_READ_TIMEOUT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 1},
)
S3_CONFIG: Final = Config(
    signature_version="s3v4",
    connect_timeout=BOTO_CONNECT_TIMEOUT_SECONDS,
    read_timeout=S3_READ_TIMEOUT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 2},
)
# One short attempt, because drain and the routes of dead letters end within a minute. SQS or the operator repeats it.
DEAD_LETTERS_CONFIG: Final = Config(
    signature_version="s3v4",
    connect_timeout=BOTO_CONNECT_TIMEOUT_SECONDS,
    read_timeout=DEAD_LETTERS_READ_TIMEOUT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 1},
)
