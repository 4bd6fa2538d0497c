"""Mails of an organization with a branding, sent by the sweep."""

from datetime import UTC, datetime

import pytest
from psycopg.types.json import Jsonb

from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxKind, OutboxTargets, run_due_entries
from tests.brand_images import png_of
from tests.given import SENDER, Databases
from tests.handlers.branding.requests import Brand
from tests.handlers.branding.sent_mails import SentMail
from tests.handlers.functions import superuser
from tests.handlers.single_sign_on.provider import Provider

PAYLOADS: dict[OutboxKind, dict[str, object]] = {
    OutboxKind.RESTORED_MAIL: {"status": "active"},
    OutboxKind.QUOTA_MAIL: {"percent": 80, "metric": "events", "used": 8, "limit": 10},
}
INSERT = "INSERT INTO outbox (organization_id, kind, payload, due_at) VALUES (%s, %s, %s, now() - interval '1 s')"


def send(databases: Databases, targets: OutboxTargets, provisioned: Provisioned, kind: OutboxKind) -> None:
    payload = Jsonb({"to": "ada@acme.example", "organization_name": "A & <b>", **PAYLOADS[kind]})
    with superuser(databases) as conn:
        conn.execute(INSERT, (provisioned.organization.id, kind, payload))
    run = run_due_entries(
        databases.platform, targets, now=datetime.now(UTC), organization_id=provisioned.organization.id
    )
    assert run.failed == ()


@pytest.mark.parametrize("kind", PAYLOADS)
def test_mail_without_branding_is_plain(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, sent_mails: list[SentMail], kind: OutboxKind
) -> None:
    send(databases, targets, acme, kind)

    [mail] = [each for each in sent_mails if each.to == "ada@acme.example"]
    assert (mail.sender, mail.html) == (SENDER, None)


@pytest.mark.parametrize("kind", PAYLOADS)
def test_mail_has_logo_color_and_escaped_text(
    brand: Brand,
    databases: Databases,
    targets: OutboxTargets,
    image_server: Provider,
    sent_mails: list[SentMail],
    kind: OutboxKind,
) -> None:
    image_server.documents["/logo"] = png_of()
    stored = brand.put(
        logo_url=f"{image_server.issuer}/logo",
        accent_color="#0F766E",
        css_variables={"--font-family": "Times New Roman, serif"},
        sender_name="O'Acme & Co",
    )

    send(databases, targets, brand.provisioned, kind)

    [mail] = [each for each in sent_mails if each.to == "ada@acme.example"]
    html = mail.html or ""
    path = stored["logo_url"].partition("/v1")[2]
    assert f'<img src="{targets.api_url}{path}" alt="O&#x27;Acme &amp; Co"' in html
    assert image_server.issuer not in html
    assert "border-top:4px solid #0f766e" in html
    assert "Times New Roman, serif" in html
    assert mail.text.split("\n")[0].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in html
    assert "<b>" not in html
    assert mail.sender.startswith("=?utf-8?")
