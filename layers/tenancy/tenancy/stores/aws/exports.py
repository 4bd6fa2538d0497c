"""Exported files in S3, and those of outdated generations."""

from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.exports import export_folder
from tenancy.stores.aws.objects import Objects


class Exports(Objects):
    """The bucket of exported files."""

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
