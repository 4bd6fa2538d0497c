"""The key that encrypts what is kept for a while and nobody may read in the database: AWS KMS has it."""

import base64
from typing import Final
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.stores.aws.client import AwsCallError, AwsClient

JSON_VERSION: Final = "1.1"


class Encryptor:
    """One symmetric key of KMS. What is sealed for one organization opens for no other."""

    def __init__(self, aws: AwsClient, key_id: str) -> None:
        """Encrypt with *key_id*."""
        self._aws = aws
        self._key_id = key_id

    def seal(self, text: bytes, organization_id: UUID) -> bytes:
        """Return *text*, at most 4,096 bytes, encrypted for *organization_id*.

        Raises:
            UnavailableError: KMS refuses or does not answer.
        """
        return self._call("Encrypt", "Plaintext", "CiphertextBlob", text, organization_id)

    def unseal(self, sealed: bytes, organization_id: UUID) -> bytes:
        """Return what was sealed for *organization_id*.

        Raises:
            UnavailableError: KMS refuses (it was sealed for another, or with another key), or does not answer.
        """
        return self._call("Decrypt", "CiphertextBlob", "Plaintext", sealed, organization_id)

    def _call(self, action: str, given: str, wanted: str, data: bytes, organization_id: UUID) -> bytes:
        request = {
            "KeyId": self._key_id,
            "EncryptionContext": {"organization_id": str(organization_id)},
            given: base64.b64encode(data).decode(),
        }
        try:
            answer = self._aws.call(f"TrentService.{action}", request, json_version=JSON_VERSION)
        except AwsCallError as error:
            raise UnavailableError(f"KMS does not {action.lower()}.") from error
        return base64.b64decode(answer[wanted])
