"""Identities of SES, version 2: the addresses and domains that SES may send from."""

import time
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.branding.sender import domain_of
from tenancy.rules.durations import SENDER_IDENTITY_MAX_AGE
from tenancy.stores.aws.mail_client import code_of, ses_client

NO_IDENTITY: Final = "NotFoundException"
KEPT_ANSWERS: Final = 1_000


class SenderIdentities:
    """The identities of one region. The first call imports boto3.

    SES answers about one question a second for a whole account. So its answers are kept for a while.
    """

    def __init__(self, region: str) -> None:
        """Ask SES in *region*."""
        self._region = region
        self._answers: dict[str, tuple[bool, float]] = {}

    def is_verified(self, address: str) -> bool:
        """Tell whether SES may send from *address*, because the address or its domain is verified.

        While SES does not answer, its last answer counts.

        Raises:
            UnavailableError: SES does not answer or rejects the question, and has given no answer before.
        """
        is_verified, until = self._answers.get(address, (None, 0.0))
        if is_verified is not None and time.monotonic() < until:
            return is_verified
        try:
            is_verified = any(self._is_identity_verified(identity) for identity in (domain_of(address), address))
        except UnavailableError:
            if is_verified is None:
                raise
        if len(self._answers) >= KEPT_ANSWERS:
            self._answers.clear()
        self._answers[address] = (is_verified, time.monotonic() + SENDER_IDENTITY_MAX_AGE.total_seconds())
        return is_verified

    def _is_identity_verified(self, identity: str) -> bool:
        try:
            answer = ses_client(self._region).get_email_identity(EmailIdentity=identity)
        except (BotoCoreError, ClientError) as error:
            if code_of(error) == NO_IDENTITY:
                return False
            raise UnavailableError(f"SES did not describe an identity ({code_of(error)}).") from error
        return bool(answer.get("VerifiedForSendingStatus"))
