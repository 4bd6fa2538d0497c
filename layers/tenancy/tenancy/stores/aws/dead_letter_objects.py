"""The bodies of dead letters in S3. An object's name is the id of its dead letter."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.stores.aws.boto import DEAD_LETTERS_CONFIG
from tenancy.stores.aws.object_keys import object_key
from tenancy.stores.aws.objects import Objects

MISSING: Final = frozenset({"NoSuchKey", "404"})
READ_AT_ONCE: Final = 10  # as many connections has a client of boto3


class DeadLetterObjects(Objects):
    """The bucket of dead letters."""

    config = DEAD_LETTERS_CONFIG

    def put_body(self, organization_id: UUID, letter_id: UUID, body: str) -> None:
        """Store the body of a dead letter. An older body is replaced.

        Raises:
            UnavailableError: S3 rejected the call or is unreachable.
        """
        self.put(organization_id, str(letter_id), body.encode(errors="replace"))

    def find_bodies(self, organization_id: UUID, letter_ids: Sequence[UUID]) -> Mapping[UUID, str | None]:
        """Return the bodies of at most `READ_AT_ONCE` dead letters by id. Without an object the body is None.

        The bodies are read at the same time, so that the time of a call is that of one body.

        Raises:
            UnavailableError: S3 rejected a call or is unreachable.
        """
        self._client()  # boto3 makes a client in one thread at a time
        with ThreadPoolExecutor(READ_AT_ONCE) as pool:
            bodies = pool.map(partial(self._find_body, organization_id), letter_ids)
            return dict(zip(letter_ids, bodies, strict=True))

    def find_stored(self, organization_id: UUID, letter_ids: Collection[UUID]) -> frozenset[UUID]:
        """Return which of the dead letters have an object. S3 lists 1,000 objects in one call.

        Raises:
            UnavailableError: S3 rejected the call or is unreachable.
        """
        wanted = {object_key(organization_id, str(letter_id)): letter_id for letter_id in letter_ids}
        if not wanted:
            return frozenset()
        first, last = min(wanted), max(wanted)
        folder, name = first.split("/")
        found: set[UUID] = set()
        try:
            pages = self._client().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=f"{folder}/", StartAfter=f"{folder}/{name[:-1]}"):
                keys = [each["Key"] for each in page.get("Contents", [])]
                found.update(wanted[key] for key in keys if key in wanted)
                if keys and keys[-1] >= last:
                    break
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 did not list the dead letters.") from error
        return frozenset(found)

    def delete_body(self, organization_id: UUID, letter_id: UUID) -> None:
        """Delete the body of a dead letter. Idempotent.

        Raises:
            UnavailableError: S3 rejected the call or is unreachable.
        """
        if self.delete_bodies([(organization_id, letter_id)]):
            raise UnavailableError("S3 did not delete the dead letter.")

    def delete_bodies(self, letters: Sequence[tuple[UUID, UUID]]) -> frozenset[tuple[UUID, UUID]]:
        """Delete the bodies of at most 1,000 *letters*, each given by organization and id. Idempotent.

        Return the letters that S3 did not delete, for example because of a hold on the object.

        Raises:
            UnavailableError: S3 rejected the call or is unreachable. Some bodies may be deleted.
        """
        by_key = {object_key(letter[0], str(letter[1])): letter for letter in letters}
        try:
            kept = self._delete([{"Key": key} for key in by_key])
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 did not delete the dead letters.") from error
        return frozenset(by_key[key] for key in kept)

    def _find_body(self, organization_id: UUID, letter_id: UUID) -> str | None:
        key = object_key(organization_id, str(letter_id))
        try:
            content: bytes = self._client().get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in MISSING:
                return None
            raise UnavailableError("S3 did not read the dead letter.") from error
        except BotoCoreError as error:
            raise UnavailableError("S3 did not read the dead letter.") from error
        return content.decode()
