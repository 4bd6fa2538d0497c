"""What the template says of exported files, privacy jobs and queues fits the times that privacy.py promises."""

from datetime import timedelta

from tenancy.rules.durations import (
    EXPORT_FILE_RETENTION,
    LONGEST_FUNCTION_RUN,
    PRIVACY_JOB_CLAIM_TIME,
    SCHEDULED_QUERY_TIMEOUT_SECONDS,
    SUBJECT_DIGEST_RETENTION,
)
from tests.template.test_template import FUNCTIONS, RESOURCES


def test_exported_files_are_private_encrypted_and_gone_after_two_weeks() -> None:
    bucket = RESOURCES["ExportsBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]
    [rule] = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], timedelta(days=rule["ExpirationInDays"])) == ("Enabled", 2 * EXPORT_FILE_RETENTION)
    assert {"NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"} <= set(rule)
    [statement] = RESOURCES["ExportsBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_a_worker_of_privacy_jobs_never_outlives_its_claim() -> None:
    longest = timedelta(
        seconds=FUNCTIONS["privacy_jobs"]["Timeout"] + SCHEDULED_QUERY_TIMEOUT_SECONDS
    )  # its last query's end
    assert longest <= PRIVACY_JOB_CLAIM_TIME
    assert timedelta(seconds=FUNCTIONS["roll_up"]["Timeout"]) <= LONGEST_FUNCTION_RUN


def test_an_erased_subject_is_forgotten_when_no_queue_can_hold_its_events_redriven_once_included() -> None:
    queues = [each["Properties"] for each in RESOURCES.values() if each["Type"] == "AWS::SQS::Queue"]
    longest = max(timedelta(seconds=queue["MessageRetentionPeriod"]) for queue in queues)
    assert 2 * longest < SUBJECT_DIGEST_RETENTION
