"""Exports and erasures: the bucket and the times of the template fit the durations of the code."""

from datetime import timedelta

from tenancy.rules.durations import (
    EXPORT_FILE_RETENTION,
    LONGEST_FUNCTION_RUN,
    PRIVACY_JOB_CLAIM_TIME,
    SCHEDULED_QUERY_TIMEOUT_SECONDS,
    SUBJECT_DIGEST_RETENTION,
)
from tests.template.template import FUNCTIONS, RESOURCES, properties_of

BUCKET = RESOURCES["ExportsBucket"]["Properties"]


def test_export_files_are_private() -> None:
    assert set(BUCKET["PublicAccessBlockConfiguration"].values()) == {True}


def test_export_files_are_encrypted() -> None:
    assert BUCKET["BucketEncryption"]


def test_export_files_are_refused_without_tls() -> None:
    [statement] = RESOURCES["ExportsBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_export_files_expire_after_twice_their_retention() -> None:
    [rule] = BUCKET["LifecycleConfiguration"]["Rules"]

    assert (rule["Status"], timedelta(days=rule["ExpirationInDays"])) == ("Enabled", 2 * EXPORT_FILE_RETENTION)
    assert {"NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"} <= set(rule)


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
