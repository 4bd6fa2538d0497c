"""Hostile values: a refusal that names the member, or a text that is escaped wherever it appears."""

import json
from email import policy
from email.parser import Parser
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.given import SENDER, Databases
from tests.handlers.branding.mailing import mail_to
from tests.handlers.branding.requests import Brand
from tests.handlers.branding.sent_mails import SentMail
from tests.hostile_branding import HOSTILE_BRANDING, HostileValue

MEMBERS = {"logo_url", "primary_color", "css_variables", "sender_name", "sender_address"}
ELEMENTS = {"html", "head", "meta", "title", "body", "div"}


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_table_is_long_and_covers_all_members() -> None:
    names = [each.name for each in HOSTILE_BRANDING]

    assert len(names) == len(set(names)) >= 40
    assert {each.member.partition("/")[0] for each in HOSTILE_BRANDING} == MEMBERS
    assert json.loads(json.dumps([each.value for each in HOSTILE_BRANDING])) == [
        each.value for each in HOSTILE_BRANDING
    ]


def test_hostile_value_is_refused_or_escaped(
    brand: Brand, databases: Databases, sent_mails: list[SentMail], subtests: pytest.Subtests
) -> None:
    for hostile in HOSTILE_BRANDING:
        with subtests.test(hostile.name):
            check_hostile_value(brand, databases, sent_mails, hostile)


def check_hostile_value(brand: Brand, databases: Databases, sent_mails: list[SentMail], hostile: HostileValue) -> None:
    before = brand.stored()
    response = brand.function(brand.put_request(hostile.body))

    if response["statusCode"] == 200:
        assert hostile.member == "sender_name"
        mail_to(databases, brand.provisioned)
        assert_is_harmless(sent_mails[-1], str(hostile.value))
        assert brand.shown() == {name: value for name, value in brand.shown().items() if name != "sender_name"}
    else:
        problem = brand.refused(hostile.body, **refusal_of(response))
        assert [each["location"] for each in problem["errors"]] == [f"body/{hostile.member}"]
        assert brand.stored() == before


def refusal_of(response: dict[str, Any]) -> dict[str, Any]:
    document = json.loads(response["body"])
    assert document["status"] == 422, document
    return {"status": document["status"], "code": document["code"]}


def assert_is_harmless(mail: SentMail, name: str) -> None:
    """Require that the header has one address and the name, and that the page has no element of the name."""
    message = Parser(policy=policy.default).parsestr(f"From: {mail.sender}\r\n\r\n")
    [address] = message["From"].addresses
    page = Elements()
    page.feed(mail.html or "")

    assert (address.display_name, address.addr_spec) == (name, SENDER)
    assert mail.sender.isascii()
    assert {tag for tag, _ in page.found} <= ELEMENTS
    assert not any(attribute.startswith("on") for _, attributes in page.found for attribute in attributes)
