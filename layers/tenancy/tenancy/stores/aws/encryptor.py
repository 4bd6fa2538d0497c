"""The AWS KMS key that encrypts short-lived values in the database."""

import base64
from typing import Final
from uuid import UUID

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.stores.aws.client import AwsClient

JSON_VERSION: Final = "1.1"


class Encryptor:
    """One symmetric KMS key.

    A value that is encrypted for one organization cannot be decrypted for another.
    """

    def __init__(self, aws: AwsClient, key_id: str) -> None:
        """Encrypt with *key_id*."""
        self._aws = aws
        self._key_id = key_id

    def encrypt(self, text: bytes, organization_id: UUID) -> bytes:
        """Return *text*, at most 4,096 bytes, encrypted for *organization_id*.

        Raises:
            UnavailableError: KMS rejected the call or is unreachable.
        """
        return self._call("Encrypt", "Plaintext", "CiphertextBlob", text, organization_id)

    def decrypt(self, encrypted: bytes, organization_id: UUID) -> bytes:
        """Return the plain text of *encrypted*, which was encrypted for *organization_id*.

        Raises:
            UnavailableError: KMS is unreachable or rejected the call. KMS rejects a value that was encrypted for
                another organization or with another key.
        """
        return self._call("Decrypt", "CiphertextBlob", "Plaintext", encrypted, organization_id)

    def _call(self, action: str, input_member: str, output_member: str, data: bytes, organization_id: UUID) -> bytes:
        request = {
            "KeyId": self._key_id,
            "EncryptionContext": {"organization_id": str(organization_id)},
            input_member: base64.b64encode(data).decode(),
        }
        try:
            answer = self._aws.call(f"TrentService.{action}", request, json_version=JSON_VERSION)
        except AwsCallError as error:
            raise UnavailableError(f"KMS rejected the call {action}.") from error
        return base64.b64decode(answer[output_member])
