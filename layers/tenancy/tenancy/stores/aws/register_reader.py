"""The entries of the register in S3, for a replay. No function may read them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.register import RegisteredChanges
from tenancy.stores.aws.boto import S3_CONFIG, make_client

READ_AT_ONCE: Final = 10  # as many connections has a client of boto3
MAX_BYTES: Final = 10_000_000  # more than the entry of the keys of the largest app


class RegisterReader:
    """Reads the bucket of the register."""

    def __init__(self, region: str, bucket: str, *, path_style: bool = False) -> None:
        """Read *bucket* in *region*. With *path_style* the bucket is in the path of each URL."""
        self._bucket = bucket
        self._client: Any = make_client("s3", region, S3_CONFIG, style="path" if path_style else "virtual")

    def read(self) -> RegisteredChanges:
        """Return all entries, and the names of objects that are none.

        Raises:
            UnavailableError: S3 rejected a call or is unreachable.
        """
        changes = RegisteredChanges()
        try:
            with ThreadPoolExecutor(READ_AT_ONCE) as pool:
                for names in self._pages():
                    for name, body in zip(names, pool.map(self._read, names), strict=True):
                        changes.add_found(name, body)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 did not read the register.") from error
        return changes

    def _pages(self) -> Iterator[list[str]]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            yield [each["Key"] for each in page.get("Contents", [])]

    def _read(self, name: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read(MAX_BYTES)
        return content  # a longer object is cut, so it is no JSON
