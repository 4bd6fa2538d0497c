"""The sender of mails: only addresses of the organization's own proven domains, and only if SES may send from them."""

import json
import time
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto.sesv2.models import sesv2_backends

from tenancy.rules.durations import SENDER_IDENTITY_MAX_AGE
from tenancy.stores.aws.sender_identities import SenderIdentities
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import REGION, SENDER, Databases
from tests.handlers.branding.mailing import mail_to
from tests.handlers.branding.requests import Brand, set_organization
from tests.handlers.branding.sent_mails import SentMail
from tests.handlers.conftest import ACCOUNT
from tests.handlers.functions import Start, superuser
from tests.handlers.scheduled_sweep import EVERY_MINUTE

ADDRESS = "hello@acme.example"
AFTER_THE_ANSWER = time.monotonic() + 2 * SENDER_IDENTITY_MAX_AGE.total_seconds()
WITHDRAW = """
    UPDATE email_domains SET verified_at = NULL, check_at = NULL, missing_since = NULL WHERE organization_id = %s
"""
INSERT_MAIL = """
    INSERT INTO outbox (organization_id, kind, payload, due_at) VALUES (%s, 'password_changed_mail', %s::jsonb, now())
"""


def verify(identity: str) -> None:
    """Let SES send from *identity*, an address or a domain. In moto each identity is pending for ever."""
    backend = sesv2_backends[ACCOUNT][REGION]
    backend.create_email_identity(identity, [], None, None)
    backend.get_email_identity(identity).verified_for_sending_status = True


def throttled(_client: BaseClient, operation: str, _values: dict[str, Any]) -> object:
    raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, operation)


def test_address_needs_a_proven_domain_of_its_own(brand: Brand, globex: Provisioned) -> None:
    """SES may send from the domain, because its proven owner is another organization."""
    other = Brand(function=brand.function, provisioned=globex)
    verify("acme.example")

    problem = other.refused({"sender_address": ADDRESS})

    assert problem["errors"][0]["location"] == "body/sender_address"
    assert "POST /v1/sso/email-domains" in problem["detail"]
    assert other.stored()["sender_state"] == "not_set"


@pytest.mark.parametrize("identity", [ADDRESS, "acme.example"])
def test_verified_identity_is_the_sender(
    brand: Brand, databases: Databases, sent_mails: list[SentMail], identity: str
) -> None:
    verify(identity)

    state = brand.put(sender_name="Acme Analytics", sender_address=ADDRESS)["sender_state"]
    mail_to(databases, brand.provisioned)

    assert state == "active"
    assert [mail.sender for mail in sent_mails] == [f"Acme Analytics <{ADDRESS}>"]


def test_sweep_sends_from_the_verified_identity(
    brand: Brand, start: Start, databases: Databases, sent_mails: list[SentMail]
) -> None:
    verify(ADDRESS)
    brand.put(sender_name="Acme", sender_address=ADDRESS)
    values = {"to": "ada@acme.example", "organization_name": "Acme", "changed_at": "2026-11-24T12:00:00Z"}
    with superuser(databases) as conn:
        conn.execute(INSERT_MAIL, (brand.provisioned.organization.id, json.dumps(values)))

    start("sweep")(EVERY_MINUTE)

    assert [mail.sender for mail in sent_mails] == [f"Acme <{ADDRESS}>"]


def test_other_identity_sends_from_the_platform(brand: Brand, databases: Databases, sent_mails: list[SentMail]) -> None:
    verify("globex.example")

    state = brand.put(sender_name="Acme", sender_address=ADDRESS)["sender_state"]
    mail_to(databases, brand.provisioned)

    assert state == "identity_not_verified"
    assert [mail.sender for mail in sent_mails] == [f"Acme <{SENDER}>"]


def test_pending_identity_sends_from_the_platform(
    brand: Brand, databases: Databases, sent_mails: list[SentMail]
) -> None:
    sesv2_backends[ACCOUNT][REGION].create_email_identity("acme.example", [], None, None)

    state = brand.put(sender_address=ADDRESS)["sender_state"]
    mail_to(databases, brand.provisioned)

    assert state == "identity_not_verified"
    assert [mail.sender for mail in sent_mails] == [SENDER]


def test_withdrawn_domain_sends_from_the_platform(
    brand: Brand, databases: Databases, sent_mails: list[SentMail]
) -> None:
    verify("acme.example")
    brand.put(sender_address=ADDRESS)
    with superuser(databases) as conn:
        conn.execute(WITHDRAW, (brand.provisioned.organization.id,))

    mail_to(databases, brand.provisioned)

    assert brand.stored()["sender_state"] == "domain_not_verified"
    assert [mail.sender for mail in sent_mails] == [SENDER]


def test_ses_that_does_not_answer_leaves_the_state_unknown(
    brand: Brand, databases: Databases, sent_mails: list[SentMail], monkeypatch: pytest.MonkeyPatch
) -> None:
    verify("acme.example")
    call = vars(BaseClient)["_make_api_call"]

    def throttle(client: BaseClient, operation: str, values: dict[str, Any]) -> object:
        if operation == "GetEmailIdentity":
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, operation)
        return call(client, operation, values)

    monkeypatch.setattr(BaseClient, "_make_api_call", throttle)
    state = brand.put(sender_address=ADDRESS)["sender_state"]
    mail_to(databases, brand.provisioned)

    assert state == brand.stored()["sender_state"] == "unknown"
    assert [mail.sender for mail in sent_mails] == [SENDER]


@pytest.mark.usefixtures("brand")
def test_last_answer_counts_while_ses_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the questions of one organization, which SES throttles, would take the addresses of all others."""
    verify("acme.example")
    identities = SenderIdentities(REGION)
    kept = identities.is_verified(ADDRESS)
    monkeypatch.setattr("time.monotonic", lambda: AFTER_THE_ANSWER)
    monkeypatch.setattr(BaseClient, "_make_api_call", throttled)

    assert kept is identities.is_verified(ADDRESS) is True


@pytest.mark.parametrize("code", ["BadRequestException", "MessageRejected"])
def test_rejected_name_is_left_out(
    brand: Brand, databases: Databases, sent_mails: list[SentMail], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """SES bounds the header `From`, whose encoded form is longer than the name."""
    brand.put(sender_name="Acme")
    call = vars(BaseClient)["_make_api_call"]

    def reject(client: BaseClient, operation: str, values: dict[str, Any]) -> object:
        if "Acme" in values.get("FromEmailAddress", ""):
            raise ClientError({"Error": {"Code": code}}, operation)
        return call(client, operation, values)

    monkeypatch.setattr(BaseClient, "_make_api_call", reject)
    mail_to(databases, brand.provisioned)

    assert [mail.sender for mail in sent_mails] == [SENDER]


def test_rejected_address_sends_from_the_platform(
    brand: Brand, databases: Databases, sent_mails: list[SentMail], monkeypatch: pytest.MonkeyPatch
) -> None:
    verify("acme.example")
    brand.put(sender_address=ADDRESS)
    call = vars(BaseClient)["_make_api_call"]

    def reject(client: BaseClient, operation: str, values: dict[str, Any]) -> object:
        if values.get("FromEmailAddress") == ADDRESS:
            raise ClientError({"Error": {"Code": "MessageRejected"}}, operation)
        return call(client, operation, values)

    monkeypatch.setattr(BaseClient, "_make_api_call", reject)
    mail_to(databases, brand.provisioned)

    assert [mail.sender for mail in sent_mails] == [SENDER]


@pytest.mark.parametrize(("column", "value"), [("tier", "growth"), ("status", "suspended"), ("status", "erased")])
def test_hidden_branding_has_no_sender(
    brand: Brand, databases: Databases, sent_mails: list[SentMail], column: str, value: str
) -> None:
    verify("acme.example")
    brand.put(sender_name="Acme", sender_address=ADDRESS, accent_color="#123456")
    set_organization(databases, brand.provisioned, column, value)

    mail_to(databases, brand.provisioned)

    [mail] = sent_mails
    assert (mail.sender, mail.html) == (SENDER, None)


def test_mail_of_another_organization_has_no_branding(
    brand: Brand, databases: Databases, globex: Provisioned, sent_mails: list[SentMail]
) -> None:
    verify("acme.example")
    brand.put(sender_name="Acme", sender_address=ADDRESS)

    mail_to(databases, globex)

    [mail] = sent_mails
    assert (mail.sender, mail.html) == (SENDER, None)
