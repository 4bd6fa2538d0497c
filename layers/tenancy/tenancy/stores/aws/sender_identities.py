"""Identities of SES, version 2: the addresses and domains that SES may send from."""

from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.branding.sender import domain_of
from tenancy.stores.aws.mail_client import code_of, ses_client

NO_IDENTITY: Final = "NotFoundException"


class SenderIdentities:
    """The identities of one region. The first call imports boto3."""

    def __init__(self, region: str) -> None:
        """Ask SES in *region*."""
        self._region = region

    def is_verified(self, address: str) -> bool:
        """Tell whether SES may send from *address*, because the address or its domain is verified.

        Raises:
            UnavailableError: SES does not answer, or rejects the question.
        """
        return any(self._is_identity_verified(identity) for identity in (domain_of(address), address))

    def _is_identity_verified(self, identity: str) -> bool:
        try:
            answer = ses_client(self._region).get_email_identity(EmailIdentity=identity)
        except (BotoCoreError, ClientError) as error:
            if code_of(error) == NO_IDENTITY:
                return False
            raise UnavailableError(f"SES did not describe an identity ({code_of(error)}).") from error
        return bool(answer.get("VerifiedForSendingStatus"))
