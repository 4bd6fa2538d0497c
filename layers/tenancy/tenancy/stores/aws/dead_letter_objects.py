"""The bodies of dead letters in S3. An object's name is the id of its dead letter."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.stores.aws.objects import Objects

MISSING: Final = frozenset({"NoSuchKey", "404"})


class DeadLetterObjects(Objects):
    """The bucket of dead letters."""

    def put_body(self, organization_id: UUID, letter_id: UUID, body: str) -> None:
        """Store the body of a dead letter. An older body is replaced.

        Raises:
            UnavailableError: S3 rejected the call or is unreachable.
        """
        self.put(organization_id, str(letter_id), body.encode(errors="replace"))

    def find_body(self, organization_id: UUID, letter_id: UUID) -> str | None:
        """Return the body of a dead letter, or None if there is no object.

        Raises:
            UnavailableError: S3 rejected the call or is unreachable.
        """
        key = self._key(organization_id, str(letter_id))
        try:
            content: bytes = self._client().get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in MISSING:
                return None
            raise UnavailableError("S3 did not read the dead letter.") from error
        except BotoCoreError as error:
            raise UnavailableError("S3 did not read the dead letter.") from error
        return content.decode()

    def delete_bodies(self, organization_id: UUID, letter_ids: Collection[UUID]) -> None:
        """Delete the bodies of at most 1,000 dead letters. Idempotent.

        Raises:
            UnavailableError: S3 rejected the call or is unreachable. Some bodies may be deleted.
        """
        if not letter_ids:
            return
        try:
            self._delete([{"Key": self._key(organization_id, str(letter_id))} for letter_id in letter_ids])
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 did not delete the dead letters.") from error
