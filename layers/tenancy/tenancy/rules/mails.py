"""What is mailed: one template per mail, filled in with the values that its effect carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from tenancy.rules.tiers import UPGRADE_URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message in plain text. Subject and addresses are one line each: SES gets them apart, never as headers."""

    to: str
    subject: str
    text: str

    def __post_init__(self) -> None:
        """Refuse a line break where a header would take one."""
        if any(character in f"{self.to}{self.subject}" for character in "\r\n\0"):
            raise ValueError("A subject or an address is one line.")


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """Subject and text, with values in braces."""

    subject: str
    text: str


TEMPLATES: Final[Mapping[str, MailTemplate]] = MappingProxyType(
    {
        "welcome_mail": MailTemplate(
            "Welcome, {organization_name}",
            """\
{organization_name} is set up.

Your account is ready: log in with this address and the password that was chosen for you.
Your apps send events with the write key, your servers read usage and statistics with the secret key;
whoever set the organization up has both.
""",
        ),
        "quota_mail": MailTemplate(
            "{percent} % of your {metric} are used",
            """\
Your organization has reached {percent} % of its {metric}: {used} of {limit}.

What your tier includes, and what is left of it: GET /v1/usage. More of it: {upgrade_url}
""",
        ),
        "deletion_mail": MailTemplate(
            "{organization_name} will be deleted",
            """\
The deletion of {organization_name} was asked for at {deleted_at}.
Nobody can log in, and its keys are not served any more.

Until {purge_at} the platform's operator can bring everything back.
After that all of its data is erased for good.
""",
        ),
        "restored_mail": MailTemplate(
            "{organization_name} was restored",
            """\
{organization_name} is back, with all of its data and the same keys. Its status is {status}.
Please log in again once it is active.
""",
        ),
        "erased_mail": MailTemplate(
            "Your organization's data was erased",
            """\
The data of your organization {organization_id} was erased at {erased_at}.

A signed certificate says what was erased, and what ages out by when; the platform's operator hands it out.
This address was kept for this message alone, and is forgotten now.
""",
        ),
        "export_mail": MailTemplate(
            "Your organization's data is ready",
            """\
The data that you asked for is written, in {files} files. Whoever has one of these links reads its file:

{links}

The first one is manifest.json, which names every file.
A link holds for at most 12 hours, often for less; GET /v1/exports/{export_id} has new ones, to every file.
The files are deleted at {expires_at}.
""",
        ),
    }
)
EVERYWHERE: Final = {"upgrade_url": UPGRADE_URL}


def render_mail(template: str, values: Mapping[str, Any]) -> Mail:
    """Return the mail that the effect of kind *template* owes to the address `to` among its *values*.

    Raises:
        KeyError: a value is missing.
        ValueError: one of them would break a header.
    """
    wanted = TEMPLATES[template]
    filled = {**EVERYWHERE, **values}
    return Mail(to=values["to"], subject=wanted.subject.format_map(filled), text=wanted.text.format_map(filled))
