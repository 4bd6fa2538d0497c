"""The AWS KMS key that signs for the platform. Its private part never leaves KMS."""

import base64
from typing import Final

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.stores.aws.client import AwsClient

ALGORITHM: Final = "ECDSA_SHA_256"
INVALID_SIGNATURE: Final = "KMSInvalidSignatureException"
JSON_VERSION: Final = "1.1"


class Signer:
    """One KMS key for signatures on the elliptic curve P-256."""

    def __init__(self, aws: AwsClient, key_id: str) -> None:
        """Sign with *key_id*."""
        self._aws = aws
        self.key_id = key_id

    def sign(self, text: bytes) -> bytes:
        """Return the signature of *text*, which has at most 4 KB.

        Raises:
            UnavailableError: KMS rejected the call or is unreachable.
        """
        answer = self._call("Sign", {"Message": _encode(text)})
        return base64.b64decode(answer["Signature"])

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether *signature* is this key's signature of *text*.

        Raises:
            UnavailableError: KMS rejected the call or is unreachable.
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
            raise UnavailableError(f"KMS rejected the call {action}.") from error


class InvalidSignatureError(Exception):
    """A signature was not made by the key."""


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
