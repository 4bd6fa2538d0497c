"""Log-in: one answer for every cause, counted attempts, and a session."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tenancy.errors import Refusal, TooManyAttemptsError, UnauthenticatedError
from tenancy.rules.durations import LOG_IN_COUNTING_TIME
from tenancy.rules.people import password_hashes
from tenancy.rules.people.log_in_attempts import LOG_IN_DELAYS, MAX_FAILED_LOG_INS
from tenancy.rules.people.password_hashes import HASHER
from tenancy.rules.people.sessions import MAX_SESSIONS
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.sessions.log_in import LOG_IN_REFUSED
from tests.given import CHEAP_HASHER, NOW, PASSWORD, PATIENCE_SECONDS, Databases
from tests.use_cases.session_requests import (
    OFFICE,
    OTHER_PASSWORD,
    SECOND,
    People,
    actions,
    change_member,
    change_organization,
    rows,
    session_of,
)

WRONG = "a wrong password of some length"
NO_ORGANIZATION = UUID("0f000000-0000-4000-8000-00000000000f")
LONG_PAUSE = timedelta(minutes=2)

type Prepare = Callable[[Databases, Provisioned], None]


def fail(people: People, acme: Provisioned, times: int, *, address: str = OFFICE) -> None:
    """Fail to log in, each time after the pause."""
    for number in range(times):
        with pytest.raises(UnauthenticatedError):
            people.log_in(acme.organization.id, acme.admin_email, WRONG, address=address, now=NOW + number * LONG_PAUSE)


def test_log_in_returns_both_tokens(people: People, acme: Provisioned) -> None:
    tokens = people.log_in_admin(acme)

    assert tokens.access_token.startswith(f"{acme.admin_user_id} 0.0 ")
    assert tokens.refresh_token.organization_id == acme.organization.id
    assert actions(people.databases, acme) == ["session.started"]


def test_member_has_the_time_of_its_newest_log_in(people: People, acme: Provisioned, globex: Provisioned) -> None:
    last = "SELECT last_signed_in_at FROM users WHERE id = %s"
    people.log_in_admin(acme)
    newest = people.log_in_admin(acme, now=NOW + LONG_PAUSE)

    people.refresh(newest.refresh_token, now=NOW + 2 * LONG_PAUSE)

    assert rows(people.databases, last, acme.admin_user_id) == [(NOW + LONG_PAUSE,)]
    assert rows(people.databases, last, globex.admin_user_id) == [(None,)]


def test_no_column_holds_a_token(people: People, acme: Provisioned) -> None:
    tokens = people.log_in_admin(acme)
    refreshed = people.refresh(tokens.refresh_token)

    stored = str(rows(people.databases, "SELECT * FROM refresh_tokens")) + str(
        rows(people.databases, "SELECT * FROM sessions")
    )

    for token in (tokens.refresh_token, refreshed.refresh_token):
        assert token.text not in stored
        assert token.text.encode().hex() not in stored


def test_tokens_are_not_in_representations(people: People, acme: Provisioned) -> None:
    tokens = people.log_in_admin(acme)

    assert tokens.access_token not in repr(tokens)
    assert tokens.refresh_token.text not in repr(tokens)


REFUSED: dict[str, Prepare] = {
    "disabled": lambda databases, acme: change_member(databases, acme, "status = 'disabled'"),
    "removed": lambda databases, acme: change_member(databases, acme, "status = 'removed'"),
    "invited": lambda databases, acme: change_member(databases, acme, "status = 'invited', password_hash = NULL"),
    "without a password": lambda databases, acme: change_member(databases, acme, "password_hash = NULL"),
    "deleted": lambda databases, acme: change_organization(databases, acme, "status = 'deleted'"),
    "erasing": lambda databases, acme: change_organization(databases, acme, "status = 'erasing'"),
}


def refuse(people: People, organization_id: UUID, email: str, password: str = PASSWORD) -> Refusal:
    with pytest.raises(UnauthenticatedError) as refused:
        people.log_in(organization_id, email, password)
    return refused.value


@pytest.mark.parametrize("cause", REFUSED)
def test_member_that_may_not_log_in_is_refused(people: People, acme: Provisioned, cause: str) -> None:
    REFUSED[cause](people.databases, acme)

    refusal = refuse(people, acme.organization.id, acme.admin_email)

    assert refusal.detail == LOG_IN_REFUSED
    assert rows(people.databases, "SELECT FROM sessions") == []


def test_all_other_causes_have_the_same_text(people: People, acme: Provisioned, globex: Provisioned) -> None:
    refusals = [
        refuse(people, acme.organization.id, acme.admin_email, WRONG),
        refuse(people, acme.organization.id, "nobody@acme.example"),
        refuse(people, globex.organization.id, acme.admin_email),
        refuse(people, NO_ORGANIZATION, acme.admin_email),
    ]

    assert {(each.status, each.code, each.detail) for each in refusals} == {(401, "unauthenticated", LOG_IN_REFUSED)}


def test_member_of_a_suspended_organization_logs_in(people: People, acme: Provisioned) -> None:
    change_organization(people.databases, acme, "status = 'suspended'")

    assert people.log_in_admin(acme).access_token


@pytest.mark.parametrize("cause", [*REFUSED, "wrong password", "unknown member", "unknown organization"])
def test_every_refusal_does_the_same_work(
    people: People, acme: Provisioned, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    """One computation of a hash, one transaction and its two statements."""
    if cause in REFUSED:
        REFUSED[cause](people.databases, acme)
    with pytest.raises(UnauthenticatedError):  # opens the connections
        people.log_in(uuid4(), acme.admin_email)
    work = list_work(monkeypatch)

    refuse(
        people,
        NO_ORGANIZATION if cause == "unknown organization" else acme.organization.id,
        "nobody@acme.example" if cause == "unknown member" else acme.admin_email,
        WRONG if cause == "wrong password" else PASSWORD,
    )

    assert work == ["statement", "statement", "hash"]


def list_work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets each statement and each computation of a hash from now on."""
    work: list[str] = []
    execute, verify = psycopg.Cursor.execute, HASHER.verify

    def execute_and_count(cursor: Any, *values: Any, **options: Any) -> Any:  # noqa: ANN401 - psycopg's own types
        work.append("statement")
        return execute(cursor, *values, **options)

    def verify_and_count(password_hash: str, password: str) -> bool:
        work.append("hash")
        return verify(password_hash, password)

    monkeypatch.setattr(psycopg.Cursor, "execute", execute_and_count)
    monkeypatch.setattr(password_hashes, "HASHER", _Hasher(verify_and_count))
    return work


class _Hasher:
    """The hasher with another *verify*, because its own attributes cannot be replaced."""

    def __init__(self, verify: Callable[[str, str], bool]) -> None:
        self.verify = verify
        self.hash, self.check_needs_rehash = HASHER.hash, HASHER.check_needs_rehash


def test_hash_with_old_parameters_is_replaced(people: People, acme: Provisioned) -> None:
    change_member(people.databases, acme, "password_hash = %s", CHEAP_HASHER.hash(PASSWORD))

    people.log_in_admin(acme)
    [(upgraded,)] = rows(people.databases, "SELECT password_hash FROM users WHERE id = %s", acme.admin_user_id)
    people.log_in_admin(acme)

    assert not HASHER.check_needs_rehash(upgraded)
    assert HASHER.verify(upgraded, PASSWORD)


def test_password_is_compared_in_its_normal_form(people: People, acme: Provisioned) -> None:
    change_member(people.databases, acme, "password_hash = %s", CHEAP_HASHER.hash("fi café battery staple"))

    tokens = people.log_in(acme.organization.id, acme.admin_email, "\ufb01 cafe\u0301 battery staple")

    assert tokens.access_token


def test_third_failure_delays_the_next_attempt(people: People, acme: Provisioned) -> None:
    for _ in range(3):
        refuse(people, acme.organization.id, acme.admin_email, WRONG)

    with pytest.raises(TooManyAttemptsError) as refused:
        people.log_in_admin(acme)

    assert refused.value.retry_after == LOG_IN_DELAYS[2] // SECOND
    assert people.log_in_admin(acme, now=NOW + LOG_IN_DELAYS[2]).access_token


def test_five_failures_refuse_the_right_password(people: People, acme: Provisioned) -> None:
    fail(people, acme, MAX_FAILED_LOG_INS)

    with pytest.raises(TooManyAttemptsError) as refused:
        people.log_in(acme.organization.id, acme.admin_email, address=OFFICE, now=NOW + 4 * LONG_PAUSE)

    assert refused.value.retry_after == (LOG_IN_COUNTING_TIME - 4 * LONG_PAUSE) // SECOND


def test_attempts_count_until_15_minutes_after_the_first(people: People, acme: Provisioned) -> None:
    fail(people, acme, MAX_FAILED_LOG_INS)
    end = NOW + LOG_IN_COUNTING_TIME

    with pytest.raises(TooManyAttemptsError):
        people.log_in(acme.organization.id, acme.admin_email, address=OFFICE, now=end - SECOND)

    assert people.log_in(acme.organization.id, acme.admin_email, address=OFFICE, now=end).access_token


@pytest.mark.usefixtures("cheap_hashes")
def test_attempts_count_over_the_end_of_a_slot(people: People, acme: Provisioned) -> None:
    for minute in range(0, 15, 2):
        begin = NOW + timedelta(minutes=minute)
        address = f"203.0.113.{minute}"
        for number in range(MAX_FAILED_LOG_INS):
            with pytest.raises(UnauthenticatedError):
                people.log_in(NO_ORGANIZATION, acme.admin_email, address=address, now=begin + number * LONG_PAUSE)

        with pytest.raises(TooManyAttemptsError) as refused:
            people.log_in(NO_ORGANIZATION, acme.admin_email, address=address, now=begin + LOG_IN_COUNTING_TIME - SECOND)

        assert refused.value.retry_after == 1


@pytest.mark.usefixtures("cheap_hashes")
def test_earlier_attempts_of_others_change_no_wait(people: People, acme: Provisioned) -> None:
    """A shorter wait than in an unknown organization would tell that the organization exists."""
    for minute in range(15):
        with pytest.raises(UnauthenticatedError):
            people.log_in(acme.organization.id, f"n{minute}@acme.example", now=NOW - timedelta(minutes=minute))

    fail(people, acme, MAX_FAILED_LOG_INS)
    with pytest.raises(TooManyAttemptsError) as refused:
        people.log_in(acme.organization.id, acme.admin_email, address=OFFICE, now=NOW + 4 * LONG_PAUSE)

    assert refused.value.retry_after == (LOG_IN_COUNTING_TIME - 4 * LONG_PAUSE) // SECOND


def test_owner_logs_in_at_another_address(people: People, acme: Provisioned) -> None:
    fail(people, acme, MAX_FAILED_LOG_INS)

    assert people.log_in_admin(acme).access_token


def test_attempts_of_one_member_do_not_count_for_another(people: People, acme: Provisioned) -> None:
    fail(people, acme, MAX_FAILED_LOG_INS)

    with pytest.raises(UnauthenticatedError):
        people.log_in(acme.organization.id, "nobody@acme.example", WRONG, address=OFFICE)


def test_attempts_in_one_organization_do_not_count_in_another(
    people: People, acme: Provisioned, globex: Provisioned
) -> None:
    fail(people, acme, MAX_FAILED_LOG_INS)

    with pytest.raises(UnauthenticatedError):
        people.log_in(globex.organization.id, acme.admin_email, WRONG, address=OFFICE)


def test_unknown_organization_counts_like_a_known_one(people: People, acme: Provisioned) -> None:
    """Another number of attempts, or another wait, would tell that the organization exists."""
    waits = []
    for organization_id in (acme.organization.id, NO_ORGANIZATION):
        for number in range(MAX_FAILED_LOG_INS):
            with pytest.raises(UnauthenticatedError):
                people.log_in(organization_id, acme.admin_email, WRONG, now=NOW + number * LONG_PAUSE)
        with pytest.raises(TooManyAttemptsError) as refused:
            people.log_in(organization_id, acme.admin_email, WRONG, now=NOW)
        waits.append(refused.value.retry_after or 0)

    assert all(14 * 60 < wait <= 15 * 60 for wait in waits)


def test_success_forgets_the_failures(people: People, acme: Provisioned) -> None:
    for _ in range(3):
        refuse(people, acme.organization.id, acme.admin_email, WRONG)
        refuse(people, acme.organization.id, acme.admin_email, WRONG)
        assert people.log_in_admin(acme).access_token


def test_refused_attempt_checks_no_password(people: People, acme: Provisioned, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(people, acme, MAX_FAILED_LOG_INS)
    work = list_work(monkeypatch)

    with pytest.raises(TooManyAttemptsError):
        people.log_in(acme.organization.id, acme.admin_email, address=OFFICE)

    assert work == []


def test_unreachable_redis_admits_and_is_counted(people: People, acme: Provisioned, nowhere: str) -> None:
    unreachable = Redis(lambda: f"redis://{nowhere}/0", timeout_seconds=PATIENCE_SECONDS)
    alone = People(databases=people.databases, redis=unreachable, targets=people.targets)

    assert alone.log_in_admin(acme).access_token

    assert alone.uncounted.attempts == 2


def test_password_that_changed_meanwhile_starts_no_session(
    people: People, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old password was right when it was checked."""
    real = password_hashes.HASHER.verify

    def verify(password_hash: str, password: str) -> bool:
        is_right = real(password_hash, password)
        changed = CHEAP_HASHER.hash(OTHER_PASSWORD)
        change_member(people.databases, acme, "password_hash = %s, token_epoch = token_epoch + 1", changed)
        return is_right

    monkeypatch.setattr(password_hashes, "HASHER", _Hasher(verify))

    refuse(people, acme.organization.id, acme.admin_email)

    assert rows(people.databases, "SELECT FROM sessions") == []


def test_hash_that_was_upgraded_meanwhile_is_the_same_password(
    people: People, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = password_hashes.HASHER.verify

    def verify(password_hash: str, password: str) -> bool:
        change_member(people.databases, acme, "password_hash = %s", HASHER.hash(PASSWORD))
        return real(password_hash, password)

    monkeypatch.setattr(password_hashes, "HASHER", _Hasher(verify))

    assert people.log_in_admin(acme).access_token


@pytest.mark.usefixtures("cheap_hashes")
def test_log_in_over_the_maximum_ends_the_oldest_session(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)
    for number in range(1, MAX_SESSIONS):
        people.log_in_admin(acme, now=NOW + number * SECOND)

    live = "SELECT id FROM sessions WHERE ended_at IS NULL"
    before = rows(people.databases, live)
    people.log_in_admin(acme, now=NOW + MAX_SESSIONS * SECOND)
    after = rows(people.databases, live)

    assert len(before) == len(after) == MAX_SESSIONS
    assert (session_of(first),) not in after
