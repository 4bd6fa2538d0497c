"""The mails of the platform: a template for each outbox kind of mail."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

EXPORT_LINKS_MAILED: Final = 20  # of the files of an export, the manifest first


# The effect of exceeding the quota of a metric (docs/api.md, "Limits and quotas").
OTHER_QUOTA_EFFECT: Final = "Over the quota, requests that need more of it are refused."
QUOTA_EFFECTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "events": "Over the quota, another 10 % of the quota is held. Further events are refused.",
        "storage_bytes": (
            "Over the quota, reports of stored bytes are refused. From the next hour on, new events are held. After "
            "another 10 % of the quota of events, further events are refused."
        ),
    }
)


class MailRefusedError(Exception):
    """SES rejected a mail, and would reject it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSender:
    """Name and address that a mail comes from. Without an address it is that of the platform.

    The organization has proven the domain of *address*. Whether SES may send from it is not known yet.
    """

    name: str | None = None
    address: str | None = None


PLATFORM_SENDER: Final = MailSender()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message in plain text, and the same as *html* if the organization has a branding.

    Subject, addresses and the name of the sender are one line each. SES takes the subject and the address as separate
    values, never as headers.
    """

    to: str
    subject: str
    text: str
    html: str | None = None
    sender: MailSender = PLATFORM_SENDER

    def __post_init__(self) -> None:
        """Refuse a line break or NUL in a value that SES writes into a header.

        Raises:
            ValueError: the subject, an address or the name of the sender has such a character.
        """
        values = f"{self.to}{self.subject}{self.sender.name}{self.sender.address}"
        if any(character in values for character in "\r\n\0"):
            raise ValueError("The subject, the addresses and the sender's name of a mail must be one line each.")

    def branded(self, html: str, sender: MailSender) -> "Mail":
        """Return this mail with the branding of its organization."""
        return replace(self, html=html, sender=sender)


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """Subject and text with `str.format` fields."""

    subject: str
    text: str


TEMPLATES: Final[Mapping[str, MailTemplate]] = MappingProxyType(
    {
        "welcome_mail": MailTemplate(
            "Welcome, {organization_name}",
            """\
Your organization {organization_name} is set up.

Its console shows usage and manages members and keys. Sign in with this address and your password:

{api_url}/console/?organization={subdomain}

The subdomain of your organization is {subdomain}. The platform operator has set the password. To choose another one:

{api_url}/console/reset?organization={subdomain}

Your apps send events with the write key. Your servers read usage and statistics with the secret key.
The platform operator has both keys. Ask the operator for them, or create your own in the console.
""",
        ),
        "quota_mail": MailTemplate(
            "{percent} % of your quota of {metric} is used",
            """\
Your organization has used {used} of {limit} {metric}. That is at least {percent} % of its quota.
{effect}

GET /v1/usage returns the current usage and all quotas. {larger_tier}
""",
        ),
        "deletion_mail": MailTemplate(
            "{organization_name} will be deleted",
            """\
The deletion of {organization_name} was requested at {deleted_at}.
The platform now refuses all keys of {organization_name}.

The platform operator can restore the organization with all its data until {purge_at}.
After that time all its data is erased permanently.
""",
        ),
        "restored_mail": MailTemplate(
            "{organization_name} was restored",
            """\
{organization_name} was restored with all its data and the same keys. Its status is {status}.
The platform accepts the keys while the status is active.
""",
        ),
        "session_reuse_mail": MailTemplate(
            "Your session at {organization_name} was ended",
            """\
At {detected_at} a refresh token of your session at {organization_name} was used a second time. Another person may have
a copy of the token. The platform has ended the session, and refuses all your present access tokens.

Log in again with POST /v1/auth/token. If you did not copy the token yourself, change your password: send
current_password and password with PATCH /v1/me. The new password ends all your other sessions.
""",
        ),
        "password_changed_mail": MailTemplate(
            "Your password for {organization_name} was changed",
            """\
At {changed_at} the password of {to} for {organization_name} was changed. Your other sessions have ended.

If you did not change it, another person knew your password or reads your mail. Request a new password with
POST /v1/auth/password-reset, and tell an administrator of your organization.
""",
        ),
        "erased_mail": MailTemplate(
            "Your organization's data was erased",
            """\
The data of your organization {organization_id} was erased at {erased_at}.

A signed certificate lists the erased data and the dates by which the last copies expire.
Ask the platform operator for the certificate.
The platform kept your address for this message only and deletes it now.
""",
        ),
        "export_mail": MailTemplate(
            "Your organization's data is ready",
            f"""\
The export that you requested is ready. It has {{files}} files, including manifest.json.
This mail has links to at most {EXPORT_LINKS_MAILED} of them. Anyone with a link can read its file:

{{links}}

The first link is manifest.json, which lists all files.
Each link expires after at most 12 hours, and often earlier.
GET /v1/exports/{{export_id}} returns new links to all files.
The files are deleted at {{expires_at}}.
""",
        ),
        "key_rotation_mail": MailTemplate(
            "API keys of your organization are to be rotated",
            """\
These API keys ({number}) are older than your organization's rotation policy allows:

{keys}

They still work. Rotate each of them with this request:

POST /v1/keys/<id>/rotate

In the body, overlap_seconds is the number of seconds for which the old key still works: at least 60 if the old key
makes the request. Only the answer to this request shows the new key. The request needs a credential with the permission
keys:write. GET /v1/keys lists all keys. The member rotate_by of a key is the time until which the key is to be rotated.
""",
        ),
        "break_glass_mail": MailTemplate(
            "Log-in with a password at {organization_name}",
            """\
{email} logged in to {organization_name} with a password at {logged_in_at}.

Your organization requires single sign-on. A super_admin can still log in with a password, in case single sign-on does
not work. If {email} did not log in, disable the member: send status disabled with PATCH /v1/users/<id>. That ends its
sessions.
""",
        ),
        "sso_ended_mail": MailTemplate(
            "Single sign-on of {organization_name} has ended",
            """\
Single sign-on of {organization_name} has ended. An administrator deleted the connection, or the entitlements of the
organization no longer include single sign-on. No member can log in by it. Passwords work for all members that have one.

Each active member without a password gets a mail with a one-time token, which sets a first password.
""",
        ),
        "first_password_mail": MailTemplate(
            "Choose a password for {organization_name}",
            """\
Single sign-on of {organization_name} has ended. To log in from now on, {to} needs a password.

Choose a password of at least 12 characters before {expires_at}:

{api_url}/console/reset?organization={subdomain}#token={token}

The link works once. Later, request another one:

{api_url}/console/reset?organization={subdomain}
""",
        ),
        "email_domain_missing_mail": MailTemplate(
            "The DNS record of {domain} is missing",
            """\
The platform checks each week that the e-mail domain {domain} belongs to your organization. The DNS record that proves
it is missing:

{record_name} TXT "{record_value}"

The domain stays verified for now. If the record is still missing at {withdrawal_at}, the platform withdraws the
verification. Create the record again before that time. If you no longer use the domain, remove it with this request:

DELETE /v1/sso/email-domains/{domain}
""",
        ),
        "email_domain_withdrawn_mail": MailTemplate(
            "{domain} is no longer verified",
            """\
The e-mail domain {domain} is no longer verified for your organization, because this DNS record was missing for at
least 5 days:

{record_name} TXT "{record_value}"

To verify the domain again, create the record, and send this request:

POST /v1/sso/email-domains/{domain}/verify
""",
        ),
        "custom_domain_missing_mail": MailTemplate(
            "{domain} will no longer be served",
            """\
The API is served for your organization at the custom domain {domain}, but not for much longer. {cause}

If that has not changed at {withdrawal_at}, the platform serves no more requests at the domain. If you no longer use the
domain, remove it with this request:

DELETE /v1/domains/{domain}
""",
        ),
        "custom_domain_withdrawn_mail": MailTemplate(
            "{domain} is no longer served",
            """\
The API is no longer served for your organization at the custom domain {domain}. {cause}

To serve it there again, change that, and send this request:

POST /v1/domains/{domain}/verify
""",
        ),
        "custom_domain_certificate_mail": MailTemplate(
            "The certificate of {domain} is not renewed",
            """\
The API is served for your organization at the custom domain {domain}, but its certificate is not renewed, and ends
soon. Then no client can connect. Amazon renews the certificate while this DNS record exists, and while no CAA record of
the domain excludes amazon.com:

{record}

GET /v1/domains/{domain} shows the problem `certificate_expiring` until the certificate is renewed.
""",
        ),
        "invitation_mail": MailTemplate(
            "You are invited to {organization_name}",
            """\
You are invited to be a member of {organization_name} with the role {role}.

To accept, choose a password of at least 12 characters before {expires_at}:

{api_url}/console/accept?organization={subdomain}#token={token}

Later, sign in with this address and the password:

{api_url}/console/?organization={subdomain}

The link works once. A later invitation replaces it.
If you do not know this organization, ignore this mail.
""",
        ),
        "password_reset_mail": MailTemplate(
            "Reset your password for {organization_name}",
            """\
A new password was requested for {to} at {organization_name}.

To set it, choose a password of at least 12 characters before {expires_at}:

{api_url}/console/reset?organization={subdomain}#token={token}

The link works once. The new password ends all your sessions.
If you did not request this, ignore this mail. Your password stays as it is.
""",
        ),
    }
)


def describe_quota_effect(metric: str) -> str:
    """Return the sentence of a quota mail about the effect of exceeding the quota of *metric*."""
    return QUOTA_EFFECTS.get(metric, OTHER_QUOTA_EFFECT)


def describe_larger_tier(upgrade_url: str | None) -> str:
    """Return the sentence of a mail that leads to *upgrade_url*, or to the operator without one."""
    if upgrade_url is None:
        return "Ask the platform operator for a larger tier if you need more."
    return f"A larger tier has larger quotas: {upgrade_url}"


def render_mail(template: str, values: Mapping[str, Any]) -> Mail:
    """Return the mail of the outbox kind *template*, addressed to the value `to`.

    Raises:
        KeyError: a value is missing.
        ValueError: a value of the subject or the address has a line break or NUL.
    """
    wanted = TEMPLATES[template]
    return Mail(to=values["to"], subject=wanted.subject.format_map(values), text=wanted.text.format_map(values))
