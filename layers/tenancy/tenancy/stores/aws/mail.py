"""Mail through Amazon SES, API version 2."""

import re
import time
from collections.abc import Mapping
from email.header import Header
from typing import Any, Final
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.durations import SENDER_IDENTITY_MAX_AGE
from tenancy.rules.mails import Mail, MailRefusedError
from tenancy.stores.aws.boto import load_boto
from tenancy.stores.aws.mail_client import code_of, ses_client
from tenancy.stores.aws.sender_identities import SenderIdentities

# SES will reject this mail again. MessageRejected is not among these codes: SES also uses it for an unverified sender.
REJECTED_FOR_GOOD: Final = "BadRequestException"
# SES may reject an organization's address with these. The platform's address may still work.
SENDER_REJECTED: Final = frozenset({"MessageRejected", "MailFromDomainNotVerifiedException", "AccessDeniedException"})
KEPT_ANSWERS: Final = 1_000
ENCODED_WORD_MAX_CHARACTERS: Final = 75  # RFC 2047, 2
PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*")  # atoms (RFC 5322, 3.2.3), which need no quotes


class Mailer:
    """A sender of mail with one verified address, and with verified addresses of organizations."""

    def __init__(self, region: str, sender: str) -> None:
        """Send from *sender*, which must be a verified SES identity in *region*."""
        self._region = region
        self._sender = sender
        self._identities = SenderIdentities(region)
        self._answers: dict[str, tuple[bool, float]] = {}
        load_boto()

    def send(self, organization_id: UUID, mail: Mail) -> None:
        """Send *mail*, tagged with *organization_id*, and return when SES has accepted it.

        It comes from the platform's address if SES may not send from the mail's own.

        Raises:
            MailRefusedError: SES rejects this mail permanently.
            UnavailableError: SES does not accept mail at the moment or is unreachable.
        """
        address = mail.sender.address
        try:
            if address is not None and self._may_send_from(address):
                try:
                    self._send(organization_id, mail, address)
                except ClientError as error:
                    if code_of(error) not in SENDER_REJECTED:
                        raise
                else:
                    return
            self._send(organization_id, mail, self._sender)
        except (BotoCoreError, ClientError) as error:
            code = code_of(error)
            if code == REJECTED_FOR_GOOD:
                raise MailRefusedError("SES rejected the mail permanently.") from error
            raise UnavailableError(f"SES did not accept the mail ({code}).") from error

    def _send(self, organization_id: UUID, mail: Mail, address: str) -> None:
        body = {"Text": _text(mail.text)} | ({} if mail.html is None else {"Html": _text(mail.html)})
        ses_client(self._region).send_email(
            FromEmailAddress=format_sender(mail.sender.name, address),
            Destination={"ToAddresses": [mail.to]},
            Content={"Simple": {"Subject": _text(mail.subject), "Body": body}},
            EmailTags=[{"Name": "organization_id", "Value": str(organization_id)}],
        )

    def _may_send_from(self, address: str) -> bool:
        """Ask SES, and keep its answer for a while. Without an answer the platform's address is used."""
        is_verified, until = self._answers.get(address, (False, 0.0))
        if time.monotonic() < until:
            return is_verified
        try:
            is_verified = self._identities.is_verified(address)
        except UnavailableError:
            return False
        if len(self._answers) >= KEPT_ANSWERS:
            self._answers.clear()
        self._answers[address] = (is_verified, time.monotonic() + SENDER_IDENTITY_MAX_AGE.total_seconds())
        return is_verified


def format_sender(name: str | None, address: str) -> str:
    """Return the value of the header `From`, in ASCII.

    A name is encoded (RFC 2047) unless it has letters and digits only. So none of its characters ends it.
    """
    if name is None:
        return address
    shown = (
        name
        if PLAIN_NAME.fullmatch(name)
        else Header(name, "utf-8").encode(linesep="", maxlinelen=ENCODED_WORD_MAX_CHARACTERS)
    )
    return f"{shown} <{address}>"


def _text(data: str) -> Mapping[str, Any]:
    return {"Data": data, "Charset": "UTF-8"}  # SES defaults to 7-bit ASCII
