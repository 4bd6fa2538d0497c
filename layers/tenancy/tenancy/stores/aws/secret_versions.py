"""Versions of secrets in Secrets Manager, for their rotation.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from typing import Any, Final

from tenancy.errors import AwsCallError
from tenancy.stores.aws.client import AwsClient

CURRENT: Final = "AWSCURRENT"
PENDING: Final = "AWSPENDING"
NO_VALUE: Final = "ResourceNotFoundException"
JSON_VERSION: Final = "1.1"


class SecretVersions:
    """The versions of the secrets under one prefix. All methods raise as `AwsClient.call` does."""

    def __init__(self, aws: AwsClient, prefix: str) -> None:
        """Use the secrets named `<prefix>/<name>`."""
        self._aws = aws
        self._prefix = prefix

    def find_current(self, name: str) -> str | None:
        """Return the id of the version in use, or None if there is none."""
        return next((version for version, stages in self._stages(name).items() if CURRENT in stages), None)

    def is_pending(self, name: str, version: str) -> bool:
        """Tell whether *version* is pending. It may have no text yet."""
        return PENDING in self._stages(name).get(version, [])

    def get_current(self, name: str) -> str:
        """Return the text of the version in use."""
        return str(self._call("GetSecretValue", name, VersionStage=CURRENT)["SecretString"])

    def find_pending(self, name: str, version: str) -> str | None:
        """Return the text of *version*, or None if it has none yet."""
        try:
            return str(self._call("GetSecretValue", name, VersionId=version, VersionStage=PENDING)["SecretString"])
        except AwsCallError as error:
            if error.code == NO_VALUE:
                return None
            raise

    def put_pending(self, name: str, version: str, text: str) -> None:
        """Store *text* as *version*, which is not in use. Another text for the same version is an error."""
        self._call("PutSecretValue", name, ClientRequestToken=version, SecretString=text, VersionStages=[PENDING])

    def use(self, name: str, version: str, *, instead_of: str | None) -> None:
        """Put *version* into use instead of *instead_of*, which becomes the previous one."""
        moved = {"RemoveFromVersionId": instead_of} if instead_of else {}
        self._call("UpdateSecretVersionStage", name, VersionStage=CURRENT, MoveToVersionId=version, **moved)

    def _stages(self, name: str) -> dict[str, list[str]]:
        stages: dict[str, list[str]] = self._call("DescribeSecret", name).get("VersionIdsToStages") or {}
        return stages

    def _call(self, action: str, name: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        document = {"SecretId": f"{self._prefix}/{name}", **members}
        return self._aws.call(f"secretsmanager.{action}", document, json_version=JSON_VERSION)
