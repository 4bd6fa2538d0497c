"""Log-ins by single sign-on, and the end of it, that crash at any moment."""

from base64 import b64encode
from contextlib import suppress
from datetime import timedelta
from itertools import count
from uuid import uuid4

import pytest

from tenancy.rules.people.member import Role
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.saml.connection import SamlConnection, ServiceProvider
from tenancy.rules.saml.relay_state import request_id_of
from tenancy.rules.sso.connection import ConnectionSettings
from tenancy.rules.sso.log_in import BrowserSecret, StoredLogIn
from tenancy.rules.sso.refusals import SsoRefusedError
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.sso_connections import upsert_sso_connection
from tenancy.stores.postgres.sso_log_ins import insert_sso_log_in, update_log_in_proven
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.sessions.log_in_by_sso import SsoCode, log_in_by_sso
from tenancy.use_cases.sso.connect import remove_connection
from tenancy.use_cases.sso.finish_saml_log_in import ReturnedBrowser, finish_saml_log_in
from tenancy.use_cases.sso.take_saml_answer import SamlAnswer, take_saml_answer
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import crashes
from tests.given import NOW, OPERATOR, Databases, provision, tenant_of
from tests.handlers.functions import superuser
from tests.saml_provider import SamlAnswer as WrittenAnswer
from tests.saml_provider import SigningKey, as_bytes, signed_answer
from tests.use_cases.session_requests import sign
from tests.use_cases.sso_connections import connect

pytestmark = pytest.mark.exhaustive

LIVE_SESSIONS = "SELECT count(*) FROM sessions WHERE organization_id = %s AND ended_at IS NULL"
USED_CODES = "SELECT count(*) FROM sso_log_ins WHERE organization_id = %s AND code_used_at IS NOT NULL"
CONNECTIONS = "SELECT count(*) FROM sso_connections WHERE organization_id = %s"
MAILS = "SELECT count(*) FROM outbox WHERE organization_id = %s AND kind = 'sso_ended_mail'"


def prove_log_in(databases: Databases, acme: Provisioned) -> OpaqueToken:
    """Store a log-in of the administrator, and return its code."""
    organization_id = acme.organization.id
    connection = connect(databases, organization_id)
    state, code = (generate_token(each, organization_id) for each in (TokenType.SSO_STATE, TokenType.SSO_CODE))
    log_in = StoredLogIn(
        state_digest=state.digest,
        browser_digest=BrowserSecret.generate().digest,
        connection_id=connection.id,
        redirect_uri="https://a.example/",
        code_challenge=None,
        started_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
        used_at=None,
    )
    with databases.platform.tenant_transaction(organization_id) as conn:
        insert_sso_log_in(conn, organization_id, log_in)
        update_log_in_proven(
            conn,
            organization_id,
            state.digest,
            user_id=acme.admin_user_id,
            code_digest=code.digest,
            expires_at=NOW + timedelta(minutes=1),
        )
    return code


def test_crashed_exchange_starts_a_session_with_its_code_used(
    databases: Databases, targets: OutboxTargets, aftermath: Aftermath
) -> None:
    numbers, crashed = count(), 0

    def begin() -> tuple[Provisioned, OpaqueToken]:
        acme = provision(databases, targets, f"acme-{next(numbers)}", Tier.GROWTH)
        return acme, prove_log_in(databases, acme)

    def exchange(state: tuple[Provisioned, OpaqueToken]) -> object:
        code = SsoCode(token=state[1], code_verifier=None, request_id="r-1", source_address="203.0.113.10")
        return log_in_by_sso(databases.platform, sign, code, now=NOW)

    for crash in crashes(begin, exchange):
        organization_id = (crash.state[0].organization.id,)
        sessions = aftermath.rows(LIVE_SESSIONS, organization_id)
        assert sessions == aftermath.rows(USED_CODES, organization_id), crash

        if sessions == [(0,)]:
            exchange(crash.state)
        with pytest.raises(SsoRefusedError):
            exchange(crash.state)

        assert aftermath.rows(LIVE_SESSIONS, organization_id) == [(1,)], crash
        crashed += 1
    assert crashed


def test_crashed_removal_of_a_connection_mails_once(
    databases: Databases, targets: OutboxTargets, aftermath: Aftermath
) -> None:
    numbers, crashed = count(), 0

    def begin() -> Provisioned:
        acme = provision(databases, targets, f"acme-{next(numbers)}", Tier.GROWTH)
        connect(databases, acme.organization.id)
        return acme

    def remove(acme: Provisioned) -> None:
        remove_connection(databases.platform, tenant_of(acme), OPERATOR, now=NOW)

    for crash in crashes(begin, remove):
        organization_id = (crash.state.organization.id,)
        if aftermath.rows(CONNECTIONS, organization_id) == [(1,)]:
            assert aftermath.rows(MAILS, organization_id) == [(0,)], crash
            remove(crash.state)

        assert aftermath.rows(CONNECTIONS, organization_id) == [(0,)], crash
        assert aftermath.rows(MAILS, organization_id) == [(1,)], crash
        crashed += 1
    assert crashed


HANDED_OVER = "SELECT count(*) FROM sso_log_ins WHERE organization_id = %s AND finish_digest IS NOT NULL"
ASSERTIONS = "SELECT count(*) FROM sso_assertions WHERE organization_id = %s"
CODES = "SELECT count(*) FROM sso_log_ins WHERE organization_id = %s AND code_digest IS NOT NULL"
WAITING_PERSONS = "SELECT count(*) FROM sso_log_ins WHERE organization_id = %s AND sealed_identity IS NOT NULL"
PROVE_DOMAIN = """
    INSERT INTO email_domains (organization_id, domain, id, token, created_at, verified_at, check_at)
    VALUES (%s, %s, %s, 'x', now(), now(), now())
"""
SAML_KEY = SigningKey.generate()
ENTITY_ID = "https://idp.acme.example/metadata"
SECRET = BrowserSecret.generate()


class NoFetcher(Fetcher):
    """A fetcher for a connection whose metadata has no URL."""

    def __init__(self) -> None:
        """Hold nothing."""


def start_saml(databases: Databases, acme: Provisioned) -> SamlAnswer:
    """Connect a SAML provider, and return its answer to a log-in that began."""
    organization_id = acme.organization.id
    service = ServiceProvider(entity_id="https://api.example/metadata", answer_url="https://api.example/acs")
    connection = SamlConnection(
        id=uuid4(),
        issuer=ENTITY_ID,
        realm_id=uuid4(),
        sign_in_url="https://idp.acme.example/sso",
        certificates=(SAML_KEY.der,),
        metadata_url=None,
        discovered_at=NOW,
        settings=ConnectionSettings(default_role=Role.VIEWER, required=False, redirect_uris=("https://a.example/",)),
        created_at=NOW,
        updated_at=NOW,
    )
    state = generate_token(TokenType.SSO_STATE, organization_id)
    log_in = StoredLogIn(
        state_digest=state.digest,
        browser_digest=SECRET.digest,
        connection_id=connection.id,
        redirect_uri="https://a.example/",
        code_challenge=None,
        started_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
        used_at=None,
    )
    with databases.platform.tenant_transaction(organization_id) as conn:
        upsert_sso_connection(conn, organization_id, connection)
        insert_sso_log_in(conn, organization_id, log_in)
    written = WrittenAnswer(
        issuer=ENTITY_ID,
        audience=service.entity_id,
        recipient=service.answer_url,
        request_id=request_id_of(state),
        email=f"ada@{acme.organization.subdomain}.example",
        now=NOW,
    )
    text = b64encode(as_bytes(signed_answer(written, SAML_KEY))).decode()
    return SamlAnswer(state=state, text=text, service=service)


def test_crashed_answer_is_taken_wholly_or_not_at_all(
    databases: Databases, targets: OutboxTargets, aftermath: Aftermath
) -> None:
    """The state is used up first. So after a crash the person starts again."""
    numbers, crashed = count(), 0

    def begin() -> SamlAnswer:
        return start_saml(databases, provision(databases, targets, f"acme-{next(numbers)}", Tier.GROWTH))

    def take(answer: SamlAnswer) -> object:
        return take_saml_answer(databases.platform, NoFetcher(), answer, now=NOW, clock=lambda: NOW)

    for crash in crashes(begin, take):
        organization_id = (crash.state.state.organization_id,)
        assert aftermath.rows(HANDED_OVER, organization_id) == aftermath.rows(ASSERTIONS, organization_id), crash

        with suppress(SsoRefusedError):
            take(crash.state)
        with pytest.raises(SsoRefusedError):
            take(crash.state)

        assert aftermath.rows(HANDED_OVER, organization_id) == aftermath.rows(ASSERTIONS, organization_id), crash
        crashed += 1
    assert crashed


def test_crashed_return_of_a_browser_leaves_no_person_behind(
    databases: Databases, targets: OutboxTargets, aftermath: Aftermath
) -> None:
    numbers, crashed = count(), 0

    def begin() -> ReturnedBrowser:
        acme = provision(databases, targets, f"acme-{next(numbers)}", Tier.GROWTH)
        answer = start_saml(databases, acme)
        token = take_saml_answer(databases.platform, NoFetcher(), answer, now=NOW, clock=lambda: NOW)
        with superuser(databases) as conn:
            conn.execute(PROVE_DOMAIN, (acme.organization.id, f"{acme.organization.subdomain}.example", uuid4()))
        return ReturnedBrowser(
            token=token, find_secret=lambda _: SECRET, request_id="r-1", source_address="203.0.113.10"
        )

    def finish(browser: ReturnedBrowser) -> object:
        return finish_saml_log_in(databases.platform, targets, browser, now=NOW)

    for crash in crashes(begin, finish):
        organization_id = (crash.state.token.organization_id,)
        if aftermath.rows(WAITING_PERSONS, organization_id) == [(1,)]:
            finish(crash.state)
        with pytest.raises(SsoRefusedError):
            finish(crash.state)

        assert aftermath.rows(WAITING_PERSONS, organization_id) == [(0,)], crash
        assert aftermath.rows(CODES, organization_id) in ([(0,)], [(1,)]), crash
        crashed += 1
    assert crashed
