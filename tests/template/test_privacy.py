"""Exports and erasures: the bucket and the times of the template fit the durations of the code."""

from datetime import timedelta

import pytest

from tenancy.rules.durations import (
    EXPORT_FILE_RETENTION,
    LONGEST_FUNCTION_RUN,
    PRIVACY_JOB_CLAIM_TIME,
    SCHEDULED_QUERY_TIMEOUT_SECONDS,
    SUBJECT_DIGEST_RETENTION,
)
from tests.template.template import FUNCTIONS, properties_of

BUCKETS = properties_of("AWS::S3::Bucket")
POLICIES = {
    policy["Bucket"]["Ref"]: policy["PolicyDocument"] for policy in properties_of("AWS::S3::BucketPolicy").values()
}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_objects_are_private(bucket: str) -> None:
    assert set(BUCKETS[bucket]["PublicAccessBlockConfiguration"].values()) == {True}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_objects_are_encrypted(bucket: str) -> None:
    assert BUCKETS[bucket]["BucketEncryption"]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_objects_are_refused_without_tls(bucket: str) -> None:
    statement = POLICIES[bucket]["Statement"][0]

    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


@pytest.mark.parametrize("bucket", BUCKETS)
def test_old_versions_and_parts_of_objects_expire(bucket: str) -> None:
    rules = [each for each in BUCKETS[bucket]["LifecycleConfiguration"]["Rules"] if each["Status"] == "Enabled"]

    expiring = {name for rule in rules for name in rule}
    assert {"NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"} <= expiring


def test_export_files_expire_after_twice_their_retention() -> None:
    [rule] = BUCKETS["ExportsBucket"]["LifecycleConfiguration"]["Rules"]

    assert timedelta(days=rule["ExpirationInDays"]) == 2 * EXPORT_FILE_RETENTION


def test_claim_of_a_privacy_job_outlasts_its_last_query() -> None:
    longest = timedelta(seconds=FUNCTIONS["privacy_jobs"]["Timeout"] + SCHEDULED_QUERY_TIMEOUT_SECONDS)

    assert longest <= PRIVACY_JOB_CLAIM_TIME


def test_roll_up_ends_within_the_longest_run() -> None:
    assert timedelta(seconds=FUNCTIONS["roll_up"]["Timeout"]) <= LONGEST_FUNCTION_RUN


def test_subject_is_remembered_longer_than_queues_keep_events() -> None:
    """A redrive renews the retention of a message once."""
    queues = properties_of("AWS::SQS::Queue").values()

    longest = max(timedelta(seconds=queue["MessageRetentionPeriod"]) for queue in queues)

    assert 2 * longest < SUBJECT_DIGEST_RETENTION
