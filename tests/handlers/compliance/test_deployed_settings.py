"""Settings of AWS in reports of compliance: as AWS shows them, else not known."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tenancy.stores.postgres.row_security import archive_setting
from tenancy.use_cases.organizations.provision import Provisioned
from tests.handlers.compliance.reports import own_report, settings_of
from tests.handlers.functions import Function, Start

NOW = datetime.now(UTC)


def test_settings_are_those_that_aws_shows(audit: Function, acme: Provisioned, aws: Any) -> None:  # noqa: ANN401 - moto's account
    import boto3  # noqa: PLC0415 - of this test alone

    region = {"region_name": "eu-central-1", "endpoint_url": aws.endpoint_url}
    boto3.client("s3", **region).put_bucket_encryption(
        Bucket=aws.exports_bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
    )
    boto3.client("s3", **region).put_bucket_versioning(
        Bucket=aws.exports_bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    boto3.client("s3", **region).put_bucket_lifecycle_configuration(
        Bucket=aws.register_bucket,
        LifecycleConfiguration={
            "Rules": [{"ID": "ten-weeks", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 70}}]
        },
    )
    boto3.client("kms", **region).enable_key_rotation(KeyId=aws.encryption_key_id)
    boto3.client("sqs", **region).set_queue_attributes(
        QueueUrl=aws.queue_url, Attributes={"SqsManagedSseEnabled": "true"}
    )

    document = own_report(audit, acme)

    encryption = settings_of(document["encryption"])
    assert encryption["ExportsBucket", "encryption at rest"] == ("on", "aws:kms")
    assert encryption["EventsQueue", "encryption at rest"] == ("on", "SSE-SQS")
    assert encryption["SealingKey", "rotation"][0] == "on"
    assert encryption["PostgreSQL", "encryption at rest"] == ("not_known", "This function has no right to see it.")
    assert settings_of(document["backups"])["ExportsBucket", "versions of objects"][0] == "on"
    buckets = settings_of(document["retention"]["buckets"])
    assert buckets["RegisterBucket", "expiry of objects"] == ("on", "Objects are deleted after 70 days.")
    assert buckets["DeadLettersBucket", "expiry of objects"][0] == "off"


def test_expiry_of_some_objects_is_none_of_the_bucket(audit: Function, acme: Provisioned, aws: Any) -> None:  # noqa: ANN401 - moto's account
    import boto3  # noqa: PLC0415 - of this test alone

    rules: list[Any] = [
        {"ID": "some", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 3}},
        {"ID": "tagged", "Status": "Enabled", "Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 4}},
        {"ID": "disabled", "Status": "Disabled", "Filter": {}, "Expiration": {"Days": 5}},
    ]
    s3 = boto3.client("s3", region_name="eu-central-1", endpoint_url=aws.endpoint_url)
    s3.put_bucket_lifecycle_configuration(Bucket=aws.exports_bucket, LifecycleConfiguration={"Rules": rules})

    buckets = settings_of(own_report(audit, acme)["retention"]["buckets"])

    assert buckets["ExportsBucket", "expiry of objects"][0] == "off"


def test_archive_that_fails_is_off() -> None:
    early, late = NOW - timedelta(hours=2), NOW - timedelta(hours=1)

    states = [
        archive_setting("on", archived_at=archived_at, failed_at=failed_at).state.value
        for archived_at, failed_at in ((late, None), (late, early), (early, late), (None, early), (None, None))
    ]

    assert states == ["on", "on", "off", "off", "on"]
    assert archive_setting("off", archived_at=None, failed_at=None).state.value == "not_known"


def test_settings_that_aws_does_not_show_are_not_known(start: Start, secrets: None, acme: Provisioned) -> None:  # noqa: ARG001
    audit = start("audit", EXPORTS_BUCKET="no-such-bucket", SEALING_KEY_ID=str(uuid4()))

    document = own_report(audit, acme)

    encryption = settings_of(document["encryption"])
    unknown = ("not_known", "AWS did not show this setting to the function.")
    assert encryption["ExportsBucket", "encryption at rest"] == unknown
    assert encryption["SealingKey", "rotation"] == unknown


def test_settings_are_read_once_in_some_minutes(audit: Function, acme: Provisioned, monkeypatch: Any) -> None:  # noqa: ANN401
    first = own_report(audit, acme)
    monkeypatch.setattr(audit.app.deployment, "_find_reader", None)

    assert own_report(audit, acme)["encryption"] == first["encryption"]
