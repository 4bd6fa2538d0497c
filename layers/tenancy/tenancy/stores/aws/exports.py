"""Exported files in S3: their links, and the files of outdated generations."""

from datetime import timedelta
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.exports import export_folder
from tenancy.stores.aws.objects import Objects


class Exports(Objects):
    """The bucket of exported files."""

    def link(self, organization_id: UUID, name: str, *, valid_for: timedelta) -> str:
        """Return a presigned URL that reads the file without another credential.

        The URL expires after *valid_for*, or earlier, with the session of the role that signs it. It is also returned
        if the file does not exist.

        Raises:
            ValueError: *name* is not a file name.
            UnavailableError: no AWS credentials are available.
        """
        values = {"Bucket": self._bucket, "Key": self._key(organization_id, name)}
        try:
            url = self._client().generate_presigned_url(
                "get_object", Params=values, ExpiresIn=int(valid_for.total_seconds())
            )
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("The download link cannot be signed: no AWS credentials are available.") from error
        return str(url)

    def delete_generations(self, organization_id: UUID, export_id: UUID, *, before: int) -> None:
        """Delete every version of the files of an export's generations *before* that one.

        Raises:
            UnavailableError: as for `delete_all`.
        """
        try:
            pages = [*self._versions(organization_id, f"{export_id}/")]
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("S3 did not list the files.") from error
        for generation in sorted({int(each["Key"].split("/")[2]) for page in pages for each in page}):
            if generation < before:
                self.delete_all(organization_id, under=export_folder(export_id, generation))
