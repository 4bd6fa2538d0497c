"""The register of erasures and ended keys in S3: entries are written once. `register_reader` reads them."""

from tenancy.rules.register import RegisterEntry
from tenancy.stores.aws.client import AwsClient


class Register:
    """The bucket of the register."""

    def __init__(self, client: AwsClient, bucket: str) -> None:
        """Write to *bucket* with *client*, a client of S3."""
        self._client = client
        self._bucket = bucket

    def put(self, entry: RegisterEntry) -> None:
        """Store *entry*. Idempotent: an entry with its name stays as it is.

        Raises:
            UnavailableError: S3 rejected the call or is unreachable.
        """
        self._client.put_new(f"/{self._bucket}/{entry.name}", entry.body)
