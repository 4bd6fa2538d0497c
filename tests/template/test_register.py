"""The bucket of the register: written once, deleted by its age alone, and read by no function."""

from datetime import timedelta
from typing import Any

from tenancy.rules.deletion import EXPIRES_WITHIN
from tenancy.rules.durations import BACKUP_RETENTION, REGISTER_RETENTION
from tenancy.rules.register import DELETIONS, KEYS, ORGANIZATIONS, SUBJECTS
from tests.template.template import FOLDERS, RESOURCES, listed, properties_of, statements

BUCKET: dict[str, Any] = properties_of("AWS::S3::Bucket")["RegisterBucket"]
STATEMENTS = {
    each["Sid"]: each
    for each in properties_of("AWS::S3::BucketPolicy")["RegisterBucketPolicy"]["PolicyDocument"]["Statement"]
}


def test_entries_outlive_every_backup() -> None:
    rule, _ = BUCKET["LifecycleConfiguration"]["Rules"]

    assert timedelta(days=rule["ExpirationInDays"]) == REGISTER_RETENTION > BACKUP_RETENTION


def test_names_expire_with_the_entries() -> None:
    """An expired version leaves a delete marker with its name."""
    rule, markers = BUCKET["LifecycleConfiguration"]["Rules"]

    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert markers == {"Id": "markers", "Status": "Enabled", "ExpiredObjectDeleteMarker": True}


def test_certificates_say_when_backups_and_entries_expire() -> None:
    within = {name: time for name, time in EXPIRES_WITHIN.items() if "backups" in name or "register" in name}

    assert len(within) == 2
    assert min(within.values()) == BACKUP_RETENTION
    assert max(within.values()) > REGISTER_RETENTION


def test_entries_cannot_be_deleted_or_overwritten() -> None:
    deletion, write = STATEMENTS["NoDeletion"], STATEMENTS["WriteOnce"]

    assert (deletion["Effect"], deletion["Principal"], "Condition" in deletion) == ("Deny", "*", False)
    assert set(deletion["Action"]) == {"s3:DeleteObject", "s3:DeleteObjectVersion"}
    assert (write["Effect"], write["Principal"], write["Action"]) == ("Deny", "*", "s3:PutObject")
    assert write["Condition"] == {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    assert BUCKET["VersioningConfiguration"] == {"Status": "Enabled"}


def test_bucket_stays_after_the_stack() -> None:
    bucket = RESOURCES["RegisterBucket"]

    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_functions_write_entries_of_their_own_kind_and_read_none() -> None:
    granted = {
        (function, action, resource["Fn::Sub"])
        for function in FOLDERS
        for statement in statements(function)
        for resource in listed(statement["Resource"])
        if "RegisterBucket" in str(resource)
        for action in listed(statement["Action"])
    }

    folders = [
        ("delete", DELETIONS),
        ("erase", ORGANIZATIONS),
        ("keys", KEYS),
        ("privacy_jobs", SUBJECTS),
        ("roll_up", KEYS),
        ("sweep", DELETIONS),
        ("sweep", KEYS),
    ]
    assert granted == {
        (function, "s3:PutObject", f"${{RegisterBucket.Arn}}/{folder}/*") for function, folder in folders
    }
