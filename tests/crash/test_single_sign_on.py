"""Log-ins by single sign-on, and the end of it, that crash at any moment."""

from datetime import timedelta
from itertools import count

import pytest

from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.sso.log_in import BrowserSecret, StoredLogIn
from tenancy.rules.sso.refusals import SsoRefusedError
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.sso_log_ins import insert_sso_log_in, update_log_in_proven
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.sessions.log_in_by_sso import SsoCode, log_in_by_sso
from tenancy.use_cases.sso.connect import remove_connection
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import crashes
from tests.given import NOW, OPERATOR, Databases, provision, tenant_of
from tests.use_cases.session_requests import sign
from tests.use_cases.sso_connections import connect

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
