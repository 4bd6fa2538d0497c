"""Mails: each outbox kind of mail has a template, and no value can add a header."""

import re
import string

import pytest

from tenancy.rules.mails import TEMPLATES, render_mail
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tests.given import API_URL


def fields_of(template: str) -> set[str]:
    wanted = TEMPLATES[template]
    return {name for text in (wanted.subject, wanted.text) for _, name, _, _ in string.Formatter().parse(text) if name}


def test_each_kind_of_mail_has_a_template() -> None:
    assert {kind.value for kind in OutboxKind if kind.value.endswith("_mail")} == set(TEMPLATES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_mail_has_all_its_values(template: str) -> None:
    values = {name: f"<{name}>" for name in fields_of(template)}

    mail = render_mail(template, {"to": "admin@acme.example", **values})

    assert all(value in mail.subject + mail.text for value in values.values())
    assert not re.search(r"\{\w*\}", mail.subject + mail.text)


@pytest.mark.parametrize("name", ["Acme\r\nBcc: all@globex.example", "Acme\nSubject: other", "Acme\0"])
def test_line_break_in_a_header_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        render_mail(
            "welcome_mail",
            {"to": "admin@acme.example", "organization_name": name, "subdomain": "acme", "api_url": API_URL},
        )

    with pytest.raises(ValueError, match="one line"):
        render_mail("restored_mail", {"to": f"a@{name}", "organization_name": "Acme", "status": "active"})


def test_braces_in_a_value_stay_text() -> None:
    mail = render_mail(
        "restored_mail", {"to": "admin@acme.example", "organization_name": "{to.__class__}", "status": "active"}
    )

    assert mail.subject == "{to.__class__} was restored"
