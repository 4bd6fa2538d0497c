"""Mail through Amazon SES, API version 2."""

import re
from collections.abc import Iterable, Iterator, Mapping
from email.header import Header
from typing import Any, Final
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.mails import Mail, MailRefusedError
from tenancy.stores.aws.boto import load_boto
from tenancy.stores.aws.mail_client import code_of, ses_client
from tenancy.stores.aws.sender_identities import SenderIdentities

# SES will reject this mail again. MessageRejected is not among these codes: SES also uses it for an unverified sender.
REJECTED_FOR_GOOD: Final = "BadRequestException"
# SES may reject an organization's address or name with these. The platform's own may still work.
SENDER_REJECTED: Final = frozenset({
    REJECTED_FOR_GOOD, "MessageRejected", "MailFromDomainNotVerifiedException", "AccessDeniedException",
})  # fmt: skip
ENCODED_WORD_MAX_CHARACTERS: Final = 75  # RFC 2047, 2
PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*")  # atoms (RFC 5322, 3.2.3), which need no quotes


class Mailer:
    """A sender of mail with one verified address, and with verified addresses of organizations."""

    def __init__(self, region: str, sender: str) -> None:
        """Send from *sender*, which must be a verified SES identity in *region*."""
        self._region = region
        self._sender = sender
        self._identities = SenderIdentities(region)
        load_boto()

    def send(self, organization_id: UUID, mail: Mail) -> None:
        """Send *mail*, tagged with *organization_id*, and return when SES has accepted it.

        It comes from the platform's address if SES may not send from the mail's own.

        Raises:
            MailRefusedError: SES rejects this mail permanently.
            UnavailableError: SES does not accept mail at the moment or is unreachable.
        """
        try:
            self._send_from_the_first(organization_id, mail, self._senders_of(mail))
        except (BotoCoreError, ClientError) as error:
            code = code_of(error)
            if code == REJECTED_FOR_GOOD:
                raise MailRefusedError("SES rejected the mail permanently.") from error
            raise UnavailableError(f"SES did not accept the mail ({code}).") from error

    def _senders_of(self, mail: Mail) -> Iterator[str]:
        """Yield the values of `From` to try: those with the organization's name first, the platform's own last."""
        name, address = mail.sender.name, mail.sender.address
        if address is not None and self._may_send_from(address):
            yield format_sender(name, address)
        if name is not None:
            yield format_sender(name, self._sender)
        yield self._sender

    def _send_from_the_first(self, organization_id: UUID, mail: Mail, senders: Iterable[str]) -> None:
        """Send *mail* from the first of *senders* that SES takes.

        Raises:
            BotoCoreError, ClientError: SES rejects the last one, or does not accept mail.
        """
        for sender in senders:
            try:
                return self._send(organization_id, mail, sender)
            except ClientError as error:
                if sender == self._sender or code_of(error) not in SENDER_REJECTED:
                    raise
        return None

    def _send(self, organization_id: UUID, mail: Mail, sender: str) -> None:
        body = {"Text": _text(mail.text)} | ({} if mail.html is None else {"Html": _text(mail.html)})
        ses_client(self._region).send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [mail.to]},
            Content={"Simple": {"Subject": _text(mail.subject), "Body": body}},
            EmailTags=[{"Name": "organization_id", "Value": str(organization_id)}],
        )

    def _may_send_from(self, address: str) -> bool:
        """Ask SES. Without an answer the platform's address is used."""
        try:
            return self._identities.is_verified(address)
        except UnavailableError:
            return False


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
