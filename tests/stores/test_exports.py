"""Exported files in S3: each organization's under its own id, deleted with all their versions, read through links."""

import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import boto3
import pytest

from tenancy.errors import UnavailableError
from tenancy.stores.aws.exports import Exports
from tests.given import EXPORTS_BUCKET, REGION

pytestmark = pytest.mark.usefixtures("aws")
EXPORTS = Exports(REGION, EXPORTS_BUCKET, path_style=True)
ACME, GLOBEX = UUID(int=1, version=4), UUID(int=2, version=4)


def test_all_versions_of_one_organizations_files_are_deleted_and_counted() -> None:
    s3: Any = boto3.client("s3", region_name=REGION)
    s3.put_bucket_versioning(Bucket=EXPORTS_BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for number in range(1_003):
        EXPORTS.put(ACME, f"file-{number}", b"1")
    EXPORTS.put(ACME, "file-0", b"2")
    s3.delete_object(Bucket=EXPORTS_BUCKET, Key=f"{ACME}/file-1")
    EXPORTS.put(GLOBEX, "file", b"1")
    assert (EXPORTS.count_all(ACME), EXPORTS.count_all(GLOBEX)) == (1_005, 1)
    for _ in range(2):
        EXPORTS.delete_all(ACME)
        assert (EXPORTS.count_all(ACME), EXPORTS.count_all(GLOBEX)) == (0, 1)


def test_only_generations_before_the_given_one_are_deleted_and_only_those_of_the_export() -> None:
    one, other = UUID(int=3, version=4), UUID(int=4, version=4)
    for export_id in (one, other):
        for generation in (0, 1, 2, 10):
            EXPORTS.put(ACME, f"{export_id}/{generation}/file", b"1")
    EXPORTS.delete_generations(ACME, one, before=2)
    assert EXPORTS.count_all(ACME) == 6
    EXPORTS.delete_generations(ACME, one, before=11)
    assert EXPORTS.count_all(ACME) == 4


@pytest.mark.parametrize("name", ["", "/other", "../other", "a/../../other"])
def test_no_name_reaches_another_organizations_files(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        EXPORTS.put(ACME, name, b"")


def test_s3_that_is_away_is_said() -> None:
    away = Exports(REGION, "no-such-bucket", path_style=True)
    with pytest.raises(UnavailableError):
        away.put(ACME, "a", b"")
    with pytest.raises(UnavailableError):
        away.delete_generations(ACME, UUID(int=3, version=4), before=1)
    with pytest.raises(UnavailableError):
        away.delete_all(ACME)
    with pytest.raises(UnavailableError):
        away.count_all(ACME)


def test_a_link_that_has_ended_is_refused() -> None:
    EXPORTS.put(ACME, "a", b"1")
    link = EXPORTS.link(ACME, "a", valid_for=timedelta(hours=12))
    assert "X-Amz-Expires=43200" in link
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"1"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(EXPORTS.link(ACME, "b", valid_for=timedelta(hours=1)))


@pytest.mark.parametrize("region", ["eu-south-1", "eu-central-1"])
def test_a_link_names_the_buckets_own_host_in_its_region(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    link = urlsplit(Exports(region, "acme-exports").link(ACME, "a", valid_for=timedelta(hours=1)))
    assert (link.hostname, link.path) == (f"acme-exports.s3.{region}.amazonaws.com", f"/{ACME}/a")
