"""Mails of an organization."""

from datetime import UTC, datetime

from tenancy.rules.mails import render_mail
from tenancy.stores.aws.mail import Mailer
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.send_mail import send_mail
from tests.given import REGION, SENDER, Databases

MAIL_API_URL = "https://api.example/v1"


def mail_to(databases: Databases, provisioned: Provisioned) -> None:
    """Send a mail to a member of the organization, as the sweep does."""
    values = {"to": "ada@acme.example", "organization_name": "Acme", "changed_at": datetime.now(UTC).isoformat()}
    mail = render_mail("password_changed_mail", values)
    mailer = Mailer(REGION, SENDER)
    send_mail(databases.platform, mailer, provisioned.organization.id, mail, api_url=MAIL_API_URL)
