"""Exported files in S3: each under the id of its organization, so that no name reaches another's."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any, Final, Literal
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.exports import export_folder

TIMEOUTS: Final = Config(
    signature_version="s3v4",
    connect_timeout=2,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 2},
)

type Style = Literal["path", "virtual"]


class Exports:
    """The objects of one bucket, at the bucket's own regional host; with *path_style* below the endpoint's."""

    def __init__(self, region: str, bucket: str, *, path_style: bool = False) -> None:
        """The client is made at the first use."""
        self._region = region
        self._bucket = bucket
        self._style: Style = "path" if path_style else "virtual"

    def put(self, organization_id: UUID, name: str, content: bytes) -> None:
        """Store *content*; a second time replaces it.

        Raises:
            ValueError: *name* is none of a file.
            UnavailableError: S3 refuses or does not answer.
        """
        key = _key(organization_id, name)
        try:
            _client(self._region, self._style).put_object(Bucket=self._bucket, Key=key, Body=content)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 does not take the file.") from error

    def link(self, organization_id: UUID, name: str, *, valid_for: timedelta) -> str:
        """Return a URL at which whoever has it reads the file, without asking whether there is one.

        It holds for as long as it *lasts*, and no longer than the session of the role that signs it.

        Raises:
            ValueError, UnavailableError: as for `put`.
        """
        values = {"Bucket": self._bucket, "Key": _key(organization_id, name)}
        try:
            made = _client(self._region, self._style).generate_presigned_url(
                "get_object", Params=values, ExpiresIn=int(valid_for.total_seconds())
            )
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("There are no credentials to sign a link with.") from error
        return str(made)

    def delete_all(self, organization_id: UUID, *, under: str = "") -> None:
        """Delete every version of every file of the organization, or of those whose names begin with *under*.

        A second time changes nothing.

        Raises:
            UnavailableError: S3 refuses or does not answer; another call does the rest.
        """
        try:
            while versions := next(self._versions(organization_id, under), None):  # what is gone moves the pages
                answer = _client(self._region, self._style).delete_objects(
                    Bucket=self._bucket, Delete={"Objects": versions, "Quiet": True}
                )
                if answer.get("Errors"):
                    raise UnavailableError("S3 does not delete every file.")
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 does not delete the files.") from error

    def delete_generations(self, organization_id: UUID, export_id: UUID, *, before: int) -> None:
        """Delete every version of every file that an export's generations *before* that one have.

        Raises:
            UnavailableError: as for `delete_all`.
        """
        try:
            pages = [*self._versions(organization_id, f"{export_id}/")]
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 does not list the files.") from error
        for generation in sorted({int(each["Key"].split("/")[2]) for page in pages for each in page}):
            if generation < before:
                self.delete_all(organization_id, under=export_folder(export_id, generation))

    def count_all(self, organization_id: UUID) -> int:
        """Return how many versions of files the organization has, what marks a deletion included.

        Raises:
            UnavailableError: S3 refuses or does not answer.
        """
        try:
            return sum(len(versions) for versions in self._versions(organization_id, ""))
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 does not list the files.") from error

    def _versions(self, organization_id: UUID, under: str) -> Iterator[list[dict[str, str]]]:
        """Return what is there, a page at a time: S3 deletes as many at once as it lists."""
        pages = _client(self._region, self._style).get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._bucket, Prefix=f"{UUID(bytes=organization_id.bytes)}/{under}"):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if found:
                yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]


def _key(organization_id: UUID, name: str) -> str:
    if not name or name.startswith("/") or ".." in name:
        raise ValueError("That is no file's name.")
    return f"{UUID(bytes=organization_id.bytes)}/{name}"


@cache
def _client(region: str, style: Style) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    # Without a style botocore signs links for the global host, which redirects to regions, or does not know them:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#VirtualHostingBackwardsCompatibility
    config = TIMEOUTS.merge(Config(s3={"addressing_style": style}))
    return boto3.client("s3", region_name=region, config=config)
