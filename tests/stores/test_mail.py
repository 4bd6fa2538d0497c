"""Mail as SES receives it."""

from typing import Any
from uuid import uuid4

import pytest
from botocore.client import BaseClient

from tenancy.rules.mails import render_mail
from tenancy.stores.aws.mail import Mailer
from tests.given import API_URL, REGION, SENDER


@pytest.mark.usefixtures("aws")
def test_subject_and_text_are_sent_as_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    send = vars(BaseClient)["_make_api_call"]

    def record_call(client: BaseClient, operation: str, values: dict[str, Any]) -> object:
        calls.append(values)
        return send(client, operation, values)

    monkeypatch.setattr(BaseClient, "_make_api_call", record_call)
    values = {"to": "admin@acme.example", "organization_name": "Ácme 株式会社", "subdomain": "acme", "api_url": API_URL}
    mail = render_mail("welcome_mail", values)

    Mailer(REGION, SENDER).send(uuid4(), mail)

    [call] = calls
    assert call["Content"]["Simple"] == {
        "Subject": {"Data": "Welcome, Ácme 株式会社", "Charset": "UTF-8"},
        "Body": {"Text": {"Data": mail.text, "Charset": "UTF-8"}},
    }
