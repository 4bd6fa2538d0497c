"""Objects of organizations in S3. `object_keys` has their keys."""

from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.stores.aws.boto import S3_CONFIG, BotoConfig, Style, load_boto, make_client
from tenancy.stores.aws.object_keys import object_key


class Objects:
    """The objects of one bucket.

    URLs name the bucket's own regional host. With *path_style* they name the endpoint, and the bucket in the path.
    *config* has the time-outs and retries of each call.
    """

    config: ClassVar[BotoConfig] = S3_CONFIG

    def __init__(self, region: str, bucket: str, *, path_style: bool = False) -> None:
        """Use *bucket* in *region*. The client is made at the first use."""
        self._region = region
        self._bucket = bucket
        self._style: Style = "path" if path_style else "virtual"
        load_boto()

    def put(self, organization_id: UUID, name: str, content: bytes) -> None:
        """Store *content* as the file *name* of the organization. An older version is replaced.

        Raises:
            ValueError: *name* is not a file name.
            UnavailableError: S3 rejected the call or is unreachable.
        """
        key = object_key(organization_id, name)
        try:
            self._client().put_object(Bucket=self._bucket, Key=key, Body=content)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 did not store the file.") from error

    def delete_all(self, organization_id: UUID, *, under: str = "") -> None:
        """Delete every version of the organization's files whose names begin with *under*.

        Idempotent.

        Raises:
            UnavailableError: S3 rejected the call or is unreachable. Some files may be deleted. Call again to delete
                the rest.
        """
        try:
            # Always the first page: each deletion moves the following pages.
            while versions := next(self._versions(organization_id, under), None):
                if self._delete(versions):
                    raise UnavailableError("S3 did not delete every file.")
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 did not delete the files.") from error

    def count_all(self, organization_id: UUID) -> int:
        """Return the number of file versions of the organization, delete markers included.

        Raises:
            UnavailableError: S3 rejected the call or is unreachable.
        """
        try:
            return sum(len(versions) for versions in self._versions(organization_id, ""))
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 did not list the files.") from error

    def _delete(self, objects: list[dict[str, str]]) -> list[str]:
        """Delete at most 1,000 *objects*, and return the keys of those that S3 did not delete."""
        answer = self._client().delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
        return [error["Key"] for error in answer.get("Errors", [])]

    def _versions(self, organization_id: UUID, under: str) -> Iterator[list[dict[str, str]]]:
        """Yield the versions and delete markers in pages.

        S3 deletes as many in one call as it lists in one page.
        """
        pages = self._client().get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._bucket, Prefix=f"{UUID(bytes=organization_id.bytes)}/{under}"):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if found:
                yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]

    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        return _client(self._region, self._style, self.config)


@cache
def _client(region: str, style: Style, config: BotoConfig) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    # Without a style botocore signs links for the global host. That host redirects to the region, or fails for a new
    # region: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#VirtualHostingBackwardsCompatibility
    return make_client("s3", region, config, style=style)
