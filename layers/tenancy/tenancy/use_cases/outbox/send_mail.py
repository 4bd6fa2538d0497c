"""Send a mail with the branding of its organization."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tenancy.rules.branding.branding import PLATFORM_BRANDING, Branding, ImageSlot
from tenancy.rules.branding.image_urls import image_url
from tenancy.rules.mail_layout import render_html
from tenancy.rules.mails import Mail, render_mail
from tenancy.stores.aws.mail import Mailer
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.organizations import find_organization_of_tenant
from tenancy.use_cases.branding.effective_branding import find_effective_branding, find_sender


def send_mail(platform_db: Homes, mailer: Mailer, organization_id: UUID, mail: Mail, *, api_url: str | None) -> None:
    """Send *mail* to a member of the organization, with its branding if it has one.

    Raises:
        MailRefusedError: SES rejects this mail permanently.
        UnavailableError: the database or SES is unreachable.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        branding = find_effective_branding(conn, organization_id)
        sender = find_sender(conn, organization_id, branding)
    if branding != PLATFORM_BRANDING:
        mail = mail.branded(_html(mail, branding, organization_id, api_url), sender)
    mailer.send(organization_id, mail)


def send_welcome_mail(
    platform_db: Homes, mailer: Mailer, organization_id: UUID, payload: Mapping[str, Any], *, api_url: str
) -> None:
    """Send the welcome mail of the outbox entry with *payload*, with the organization's address of the console.

    Entries of earlier releases have no subdomain, so it is read here. Nothing is sent once the organization is erased.

    Raises:
        MailRefusedError: SES rejects this mail permanently.
        UnavailableError: the database or SES is unreachable.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = find_organization_of_tenant(conn, organization_id)
    if organization is not None:
        mail = render_mail("welcome_mail", {**payload, "subdomain": organization.subdomain, "api_url": api_url})
        send_mail(platform_db, mailer, organization_id, mail, api_url=api_url)


def _html(mail: Mail, branding: Branding, organization_id: UUID, api_url: str | None) -> str:
    logo = branding.images.get(ImageSlot.LOGO)
    return render_html(
        title=mail.subject,
        text=mail.text,
        console_url=None if api_url is None else f"{api_url}/console/",
        color=branding.shown_colors["accent_color"],
        logo_url=image_url(api_url, organization_id, logo) if logo is not None and api_url is not None else None,
        name=branding.sender_name,
        fonts=branding.css_variables.get("--font-family"),
    )
