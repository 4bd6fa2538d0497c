"""Exported files in S3: their keys and their versions."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import boto3
import pytest

from tenancy.errors import UnavailableError
from tenancy.stores.aws.exports import Exports
from tests.aws_account import put_objects
from tests.given import EXPORTS_BUCKET, REGION

pytestmark = pytest.mark.usefixtures("aws")
EXPORTS = Exports(REGION, EXPORTS_BUCKET, path_style=True)
ACME, GLOBEX = UUID(int=1, version=4), UUID(int=2, version=4)


def test_all_versions_of_one_organizations_files_are_deleted() -> None:
    s3: Any = boto3.client("s3", region_name=REGION)
    s3.put_bucket_versioning(Bucket=EXPORTS_BUCKET, VersioningConfiguration={"Status": "Enabled"})
    put_objects(EXPORTS_BUCKET, (f"{ACME}/file-{number}" for number in range(1_003)))
    EXPORTS.put(ACME, "file-0", b"2")
    s3.delete_object(Bucket=EXPORTS_BUCKET, Key=f"{ACME}/file-1")
    EXPORTS.put(GLOBEX, "file", b"1")
    assert (EXPORTS.count_all(ACME), EXPORTS.count_all(GLOBEX)) == (1_005, 1)

    for _ in range(2):
        EXPORTS.delete_all(ACME)

        assert (EXPORTS.count_all(ACME), EXPORTS.count_all(GLOBEX)) == (0, 1)


def test_only_older_generations_of_one_export_are_deleted() -> None:
    one, other = UUID(int=3, version=4), UUID(int=4, version=4)
    for export_id in (one, other):
        for generation in (0, 1, 2, 10):
            EXPORTS.put(ACME, f"{export_id}/{generation}/file", b"1")

    EXPORTS.delete_generations(ACME, one, before=2)
    assert EXPORTS.count_all(ACME) == 6

    EXPORTS.delete_generations(ACME, one, before=11)
    assert EXPORTS.count_all(ACME) == 4


@pytest.mark.parametrize("name", ["", "/other", "../other", "a/../../other"])
def test_file_name_cannot_leave_the_organizations_folder(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        EXPORTS.put(ACME, name, b"")


@pytest.mark.parametrize(
    "call",
    [
        lambda exports: exports.put(ACME, "a", b""),
        lambda exports: exports.delete_generations(ACME, UUID(int=3, version=4), before=1),
        lambda exports: exports.delete_all(ACME),
        lambda exports: exports.count_all(ACME),
    ],
    ids=["put", "delete_generations", "delete_all", "count_all"],
)
def test_error_of_s3_is_unavailable(call: Callable[[Exports], object]) -> None:
    exports = Exports(REGION, "no-such-bucket", path_style=True)

    with pytest.raises(UnavailableError):
        call(exports)
