"""The key that signs for the platform: AWS KMS keeps it, nobody can read it."""

import base64
from typing import Final

from tenancy.errors import UnavailableError
from tenancy.stores.aws.client import AwsCallError, AwsClient

ALGORITHM: Final = "ECDSA_SHA_256"
INVALID_SIGNATURE: Final = "KMSInvalidSignatureException"
JSON_VERSION: Final = "1.1"


class Signer:
    """One signing key of KMS, an elliptic curve's (P-256)."""

    def __init__(self, aws: AwsClient, key_id: str) -> None:
        """Sign with *key_id*."""
        self._aws = aws
        self.key_id = key_id

    def sign(self, text: bytes) -> bytes:
        """Return the signature of *text*, at most 4 KB.

        Raises:
            UnavailableError: KMS refuses or does not answer.
        """
        answer = self._call("Sign", {"Message": _encode(text)})
        return base64.b64decode(answer["Signature"])

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Whether *signature* is this key's, of *text*.

        Raises:
            UnavailableError: KMS refuses or does not answer.
        """
        try:
            answer = self._call("Verify", {"Message": _encode(text), "Signature": _encode(signature)})
        except InvalidSignatureError:
            return False
        return bool(answer["SignatureValid"])

    def _call(self, action: str, document: dict[str, str]) -> dict[str, str]:
        request = {"KeyId": self.key_id, "MessageType": "RAW", "SigningAlgorithm": ALGORITHM, **document}
        try:
            return self._aws.call(f"TrentService.{action}", request, json_version=JSON_VERSION)
        except AwsCallError as error:
            if error.code == INVALID_SIGNATURE:
                raise InvalidSignatureError from error
            raise UnavailableError("KMS does not sign.") from error


class InvalidSignatureError(Exception):
    """KMS says that a signature is not the key's."""


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
