"""Mail through SES v2."""

from functools import cache
from typing import Any, Final
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.mails import Mail

# The mail itself is at fault, for good. Not MessageRejected, which is also said of a sender that is not verified.
REFUSED: Final = "BadRequestException"
TIMEOUTS: Final = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})


class MailRefusedError(Exception):
    """SES would refuse this mail another time as well."""


class Mailer:
    """Sends from one verified address."""

    def __init__(self, region: str, sender: str) -> None:
        """*sender* must be a verified identity of SES in *region*."""
        self._region = region
        self._sender = sender

    def send(self, organization_id: UUID, mail: Mail) -> None:
        """Return when SES has taken *mail*, which carries *organization_id* as a tag.

        Raises:
            MailRefusedError: SES refuses this mail, whenever it is sent.
            UnavailableError: SES takes no mail of ours now, or does not answer.
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
            if code == REFUSED:
                raise MailRefusedError("SES refuses the mail.") from error
            raise UnavailableError(f"SES does not take the mail ({code}).") from error


def _text(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}  # without a character set SES takes 7-bit ASCII


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code"))
    return type(error).__name__


@cache
def _client(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return boto3.client("sesv2", region_name=region, config=TIMEOUTS)
