"""The settings of queues, buckets and keys as AWS has them now. No data is read."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.durations import DEPLOYED_SETTINGS_CALL_SECONDS
from tenancy.stores.aws.boto import BotoConfig, Style, make_client
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.signer import JSON_VERSION

NO_LIFECYCLE: Final = "NoSuchLifecycleConfiguration"
NO_ENCRYPTION: Final = "ServerSideEncryptionConfigurationNotFoundError"
CONFIG: Final = BotoConfig(
    connect_timeout=DEPLOYED_SETTINGS_CALL_SECONDS,
    read_timeout=DEPLOYED_SETTINGS_CALL_SECONDS,
    attempts=1,
    signature_version="s3v4",
)


class DeployedSettings:
    """A reader of settings. Each call asks AWS once.

    Each method raises UnavailableError if the service is unreachable, or refuses or does not support the call.
    """

    def __init__(self, sqs: AwsClient, kms: AwsClient, region: str, *, path_style: bool = False) -> None:
        """Ask *sqs*, *kms* and the buckets of *region*."""
        self._sqs = sqs
        self._kms = kms
        self._region = region
        self._style: Style = "path" if path_style else "virtual"

    def find_queue_encryption(self, queue_url: str) -> str | None:
        """Return the encryption of the queue's messages, or None without one."""
        request = {"QueueUrl": queue_url, "AttributeNames": ["All"]}
        answer = _call(self._sqs, "AmazonSQS.GetQueueAttributes", request, "1.0", expected="Attributes")
        attributes = answer["Attributes"]
        if attributes.get("KmsMasterKeyId"):
            return "SSE-KMS"
        return "SSE-SQS" if attributes.get("SqsManagedSseEnabled") == "true" else None

    def find_key_rotation(self, key_id: str) -> str | None:
        """Return how often KMS rotates the key, or None if it does not."""
        target, expected = "TrentService.GetKeyRotationStatus", "KeyRotationEnabled"
        status = _call(self._kms, target, {"KeyId": key_id}, JSON_VERSION, expected=expected)
        if not status["KeyRotationEnabled"]:
            return None
        days = status.get("RotationPeriodInDays")
        return "KMS rotates the key." if days is None else f"KMS rotates the key every {int(days)} days."

    def find_bucket_encryption(self, bucket: str) -> str | None:
        """Return the default encryption of the bucket's objects, or None without one."""
        answer = self._bucket(bucket, "get_bucket_encryption", absent=NO_ENCRYPTION)
        rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        defaults = [each.get("ApplyServerSideEncryptionByDefault", {}) for each in rules]
        return ", ".join(str(each["SSEAlgorithm"]) for each in defaults if "SSEAlgorithm" in each) or None

    def find_bucket_expiry(self, bucket: str) -> str | None:
        """Return the days after which the bucket deletes its objects, or None if it keeps them."""
        answer = self._bucket(bucket, "get_bucket_lifecycle_configuration", absent=NO_LIFECYCLE)
        rules = [each for each in answer.get("Rules", []) if each.get("Status") == "Enabled"]
        days = [each["Expiration"]["Days"] for each in rules if "Days" in each.get("Expiration", {})]
        return f"Objects are deleted after {int(min(days))} days." if days else None

    def find_bucket_versions(self, bucket: str) -> str | None:
        """Return a text if the bucket keeps versions of objects, else None."""
        status = self._bucket(bucket, "get_bucket_versioning").get("Status")
        return "Versions are kept." if status == "Enabled" else None

    def _bucket(self, bucket: str, operation: str, *, absent: str = "") -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = getattr(self._s3, operation)(Bucket=bucket)
        except ClientError as error:
            if absent and error.response.get("Error", {}).get("Code") == absent:
                return {}
            raise UnavailableError("S3 did not show a setting.") from error
        except BotoCoreError as error:
            raise UnavailableError("S3 did not show a setting.") from error
        return answer

    @cached_property
    def _s3(self) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        return make_client("s3", self._region, CONFIG, style=self._style)


def _call(aws: AwsClient, target: str, request: dict[str, Any], json_version: str, *, expected: str) -> dict[str, Any]:
    try:
        answer = aws.call(target, request, json_version=json_version)
    except AwsCallError as error:
        raise UnavailableError("AWS did not show a setting.") from error
    if expected not in answer:
        raise UnavailableError("AWS did not show a setting.")
    return answer
