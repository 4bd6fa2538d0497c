"""Links to exported files in S3."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from tenancy.stores.aws.object_keys import object_key
from tenancy.stores.aws.signature import AwsCredentials, presign_get


class ExportLinks:
    """Signs links to the files of one bucket, without a call of AWS."""

    def __init__(self, region: str, bucket: str, endpoint_url: str | None = None) -> None:
        """Sign for *bucket* in *region*.

        A link has the bucket's own regional host: S3's global host redirects to the region, or fails for a new region.
        *endpoint_url*, that of the local stack, replaces the host. Then the bucket is in the path.
        """
        self._region = region
        self._origin = endpoint_url or f"https://{bucket}.s3.{region}.amazonaws.com"
        self._folder = f"/{bucket}" if endpoint_url else ""

    def link(self, organization_id: UUID, name: str, *, valid_for: timedelta) -> str:
        """Return a presigned URL that reads the file without another credential.

        The URL expires after *valid_for*, or earlier, with the session of the role that signs it. It is also returned
        if the file does not exist.

        Raises:
            ValueError: *name* is not a file name.
            UnavailableError: no AWS credentials are available.
        """
        signed = presign_get(
            f"{self._folder}/{object_key(organization_id, name)}",
            AwsCredentials.from_env(),
            host=urlsplit(self._origin).netloc,
            region=self._region,
            service="s3",
            valid_for=valid_for,
            now=datetime.now(UTC),
        )
        return f"{self._origin}{signed}"
