"""Links to exported files read one object for a limited time, and equal those of botocore."""

import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import UnavailableError
from tenancy.stores.aws.export_links import ExportLinks
from tenancy.stores.aws.signature import AwsCredentials, presign_get
from tests.aws_account import put_objects
from tests.given import EXPORTS_BUCKET, REGION, AwsAccount

HOST = f"acme-exports.s3.{REGION}.amazonaws.com"
ACME = UUID(int=1, version=4)
PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@pytest.fixture
def links(aws: AwsAccount) -> ExportLinks:
    return ExportLinks(REGION, EXPORTS_BUCKET, aws.endpoint_url)


def test_link_reads_the_file_for_a_limited_time(links: ExportLinks) -> None:
    put_objects(EXPORTS_BUCKET, [f"{ACME}/a"])

    link = links.link(ACME, "a", valid_for=timedelta(hours=12))

    assert "X-Amz-Expires=43200" in link
    with urllib.request.urlopen(link) as answer:
        assert answer.status == 200


def test_link_to_a_missing_file_fails(links: ExportLinks) -> None:
    link = links.link(ACME, "b", valid_for=timedelta(hours=1))

    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(link)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("region", ["eu-south-1", "eu-central-1"])
def test_link_names_the_regional_host_of_the_bucket(region: str) -> None:
    link = urlsplit(ExportLinks(region, "acme-exports").link(ACME, "a", valid_for=timedelta(hours=1)))

    assert (link.hostname, link.path) == (f"acme-exports.s3.{region}.amazonaws.com", f"/{ACME}/a")


@pytest.mark.parametrize("name", ["", "/other", "../other", "a/../../other"])
def test_link_cannot_leave_the_organizations_folder(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        ExportLinks(REGION, "acme-exports").link(ACME, name, valid_for=timedelta(hours=1))


def test_link_needs_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)

    with pytest.raises(UnavailableError):
        ExportLinks(REGION, "acme-exports").link(ACME, "a", valid_for=timedelta(hours=1))


@given(name=NAMES, secret=PRINTABLE, token=st.none() | PRINTABLE, seconds=st.integers(1, 604_800))
def test_signature_of_a_link_is_botocores(name: str, secret: str, token: str | None, seconds: int) -> None:
    path, credentials = f"/{ACME}/{name}", Credentials("AKIDEXAMPLE", secret, token)
    request: Any = AWSRequest("GET", f"https://{HOST}{percent_encode(path, safe='/~')}")
    S3SigV4QueryAuth(credentials, "s3", REGION, expires=seconds).add_auth(request)
    expected = urlsplit(request.url)
    members = dict(parse_qsl(expected.query, strict_parsing=True))

    signed = presign_get(
        path,
        AwsCredentials(access_key_id="AKIDEXAMPLE", secret_access_key=secret, session_token=token),
        host=HOST,
        region=REGION,
        service="s3",
        valid_for=timedelta(seconds=seconds),
        now=datetime.strptime(members["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
    )

    found = urlsplit(signed)
    assert found.path == expected.path
    assert dict(parse_qsl(found.query, strict_parsing=True)) == members
