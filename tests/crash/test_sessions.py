"""Log-ins, refreshes and new passwords that crash at any moment are completed by a retry."""

from datetime import timedelta
from itertools import count

import pytest

from tenancy.errors import UnauthenticatedError
from tenancy.rules.durations import OUTBOX_CLAIM_TIME, SUCCESSOR_RETENTION
from tenancy.rules.people.opaque_tokens import OpaqueToken
from tenancy.rules.tiers import Tier
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tenancy.use_cases.sessions.me import change_me
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import Crash, crashes
from tests.given import NOW, PASSWORD, Databases, provision
from tests.use_cases.session_requests import (
    OTHER_PASSWORD,
    SECOND,
    People,
    actor_of,
    admin_of,
    new_password,
    session_of,
)

pytestmark = pytest.mark.exhaustive

LIVE_SESSIONS = "SELECT count(*) FROM sessions WHERE organization_id = %s AND ended_at IS NULL"
TOKENS_OF = "SELECT count(*), count(used_at) FROM refresh_tokens WHERE organization_id = %s"
ACTIONS = "SELECT action FROM audit_log WHERE organization_id = %s AND action LIKE %s"
LATER = SUCCESSOR_RETENTION + SECOND


@pytest.fixture
def people(databases: Databases, counters: Redis, targets: OutboxTargets) -> People:
    return People(databases=databases, redis=counters, targets=targets)


def audited(aftermath: Aftermath, acme: Provisioned, pattern: str) -> int:
    return len(aftermath.rows(ACTIONS, (acme.organization.id, pattern)))


def test_crashed_log_in_starts_whole_sessions(
    databases: Databases, targets: OutboxTargets, people: People, aftermath: Aftermath
) -> None:
    numbers, crashed = count(), 0

    for crash in crashes(
        lambda: provision(databases, targets, f"acme-{next(numbers)}", Tier.STARTER), people.log_in_admin
    ):
        acme = crash.state
        [(sessions,)] = aftermath.rows(LIVE_SESSIONS, (acme.organization.id,))
        assert aftermath.rows(TOKENS_OF, (acme.organization.id,)) == [(sessions, 0)], crash
        assert audited(aftermath, acme, "session.started") == sessions, crash

        tokens = people.log_in_admin(acme, now=NOW + SECOND)

        assert people.refresh(tokens.refresh_token, now=NOW + SECOND).access_token, crash
        crashed += 1
    assert crashed > 3


def test_crashed_refresh_is_repeated_with_the_same_successor(
    databases: Databases, targets: OutboxTargets, people: People, aftermath: Aftermath
) -> None:
    numbers, crashed = count(), 0

    def begin() -> OpaqueToken:
        acme = provision(databases, targets, f"acme-{next(numbers)}", Tier.STARTER)
        return people.log_in_admin(acme).refresh_token

    for crash in crashes(begin, people.refresh):
        token = crash.state

        repeated = people.refresh(token, now=NOW + SECOND)

        assert people.refresh(token, now=NOW + 2 * SECOND).refresh_token == repeated.refresh_token, crash
        assert people.refresh(repeated.refresh_token, now=NOW + 3 * SECOND).access_token, crash
        assert aftermath.rows(TOKENS_OF, (token.organization_id,)) == [(3, 2)], crash
        crashed += 1
    assert crashed > 1


def test_crashed_detection_of_a_reuse_is_completed(
    databases: Databases, targets: OutboxTargets, people: People, aftermath: Aftermath
) -> None:
    """The session ends with its audit record and its mail, or is live until the next reuse."""
    numbers, crashed = count(), 0

    def begin() -> tuple[Provisioned, OpaqueToken]:
        acme = provision(databases, targets, f"acme-{next(numbers)}", Tier.STARTER)
        token = people.log_in_admin(acme).refresh_token
        people.refresh(token)
        return acme, token

    def reuse(state: tuple[Provisioned, OpaqueToken]) -> None:
        with pytest.raises(UnauthenticatedError):
            people.refresh(state[1], now=NOW + LATER)

    for crash in crashes(begin, reuse):
        acme, _ = crash.state
        [(live,)] = aftermath.rows(LIVE_SESSIONS, (acme.organization.id,))
        assert audited(aftermath, acme, "session.reuse_detected") == 1 - live, crash

        reuse(crash.state)
        run_due_entries(databases.platform, targets, now=NOW + LATER + 2 * OUTBOX_CLAIM_TIME)

        assert aftermath.rows(LIVE_SESSIONS, (acme.organization.id,)) == [(0,)], crash
        assert audited(aftermath, acme, "session.reuse_detected") == 1, crash
        assert aftermath.pending_kinds(acme.organization.id) == [], crash
        crashed += 1
    assert crashed > 3


def test_crashed_change_of_a_password_is_whole(
    databases: Databases, targets: OutboxTargets, people: People, aftermath: Aftermath
) -> None:
    """Before the commit the old password and all sessions are valid.

    After the commit the new password and the caller's own session are valid.
    """
    numbers, crashed = count(), 0

    def begin() -> Provisioned:
        acme = provision(databases, targets, f"acme-{next(numbers)}", Tier.STARTER)
        people.log_in_admin(acme)
        return acme

    def change(acme: Provisioned) -> None:
        own = people.log_in_admin(acme)
        wanted = new_password(kept=session_of(own))
        change_me(
            databases.platform, targets, people.attempts, admin_of(acme), wanted, actor_of(acme), now=NOW + SECOND
        )

    for crash in crashes(begin, change):
        acme = crash.state
        is_changed = audited(aftermath, acme, "member.password_changed") == 1
        _require_only_password(people, crash, is_changed=is_changed)
        run_due_entries(databases.platform, targets, now=NOW + timedelta(hours=1))
        assert aftermath.pending_kinds(acme.organization.id) == [], crash
        crashed += 1
    assert crashed > 5


def _require_only_password(people: People, crash: Crash[Provisioned], *, is_changed: bool) -> None:
    acme = crash.state
    right, wrong = (OTHER_PASSWORD, PASSWORD) if is_changed else (PASSWORD, OTHER_PASSWORD)
    organization_id, email = acme.organization.id, acme.admin_email
    assert people.log_in(organization_id, email, right, now=NOW + timedelta(minutes=1)).access_token, crash
    with pytest.raises(UnauthenticatedError):
        people.log_in(organization_id, email, wrong, now=NOW + timedelta(minutes=1))
