"""Mail through Amazon SES, API version 2."""

from functools import cache
from typing import Any, Final
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.mails import Mail, MailRefusedError
from tenancy.stores.aws.boto import BOTO_CONFIG, load_boto, make_client

# SES will reject this mail again. MessageRejected is not among these codes: SES also uses it for an unverified sender.
REJECTED_FOR_GOOD: Final = "BadRequestException"


class Mailer:
    """A sender of mail with one verified address."""

    def __init__(self, region: str, sender: str) -> None:
        """Send from *sender*, which must be a verified SES identity in *region*."""
        self._region = region
        self._sender = sender
        load_boto()

    def send(self, organization_id: UUID, mail: Mail) -> None:
        """Send *mail*, tagged with *organization_id*, and return when SES has accepted it.

        Raises:
            MailRefusedError: SES rejects this mail permanently.
            UnavailableError: SES does not accept mail at the moment or is unreachable.
        """
        content = {"Simple": {"Subject": _text(mail.subject), "Body": {"Text": _text(mail.text)}}}
        try:
            _client(self._region).send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [mail.to]},
                Content=content,
                EmailTags=[{"Name": "organization_id", "Value": str(organization_id)}],
            )
        except (BotoCoreError, ClientError) as error:
            code = _code(error)
            if code == REJECTED_FOR_GOOD:
                raise MailRefusedError("SES rejected the mail permanently.") from error
            raise UnavailableError(f"SES did not accept the mail ({code}).") from error


def _text(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}  # SES defaults to 7-bit ASCII


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code"))
    return type(error).__name__


@cache
def _client(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return make_client("sesv2", region, BOTO_CONFIG)
