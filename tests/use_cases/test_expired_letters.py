"""Dead letters expire 14 days after their first receipt, whenever they were drained."""

from datetime import timedelta

import pytest

from tenancy.rules.durations import DEAD_LETTER_RETENTION
from tenancy.use_cases.dead_letters import expire
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.use_cases.dead_letters import NOW, bodies, drain, keys_of, letters, message, refuse_keys
from tests.use_cases.privacy_jobs import run_jobs, time_for

SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.usefixtures("aws")


def test_letter_expires_after_its_first_receipt(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    received_at = NOW - DEAD_LETTER_RETENTION
    old = [message(each.organization.id, "old", received_at=received_at) for each in (acme, globex)]
    young = [message(acme.organization.id, "young", received_at=received_at + 2 * SECOND)]
    drain(databases, *old, *young, now=NOW - SECOND)  # drained a moment before the end

    run = run_jobs(databases, NOW)

    assert run.letters_expired == 2
    assert set(bodies()) == keys_of(young)
    assert [found[0] for found in letters(databases, acme.organization.id)] == [young[0].letter.id]


def test_pages_of_expired_letters_go_in_one_run(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expire, "EXPIRED_AT_ONCE", 2)
    received_at = NOW - DEAD_LETTER_RETENTION
    drain(
        databases, *(message(acme.organization.id, "old", received_at=received_at) for _ in range(5)), now=received_at
    )

    assert run_jobs(databases, NOW).letters_expired == 5
    assert bodies() == {}


@pytest.mark.parametrize("page", [2, expire.EXPIRED_AT_ONCE])
def test_undeletable_object_does_not_stop_the_others(
    databases: Databases, acme: Provisioned, globex: Provisioned, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(expire, "EXPIRED_AT_ONCE", page)
    received_at = NOW - DEAD_LETTER_RETENTION
    kept = [message(acme.organization.id, "kept", received_at=received_at - SECOND) for _ in range(3)]
    gone = [message(each.organization.id, "gone", received_at=received_at) for each in (acme, globex)]
    drain(databases, *kept, *gone, now=received_at - 2 * SECOND)

    with monkeypatch.context() as patch:
        refuse_keys(patch, "DeleteObjects", keys_of(kept))
        run = run_jobs(databases, NOW)

    assert (run.letters_expired, run.postponed) == (2, 1)
    assert set(bodies()) == keys_of(kept)
    assert len(letters(databases, acme.organization.id)) == 3
    assert run_jobs(databases, NOW).letters_expired == 3


def test_expiry_ends_with_its_time(databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expire, "EXPIRED_AT_ONCE", 2)
    received_at = NOW - DEAD_LETTER_RETENTION
    sent = [message(acme.organization.id, "old", received_at=received_at) for _ in range(5)]
    drain(databases, *sent, now=received_at)

    assert run_jobs(databases, NOW, time_for(0)).letters_expired == 2


def test_database_refuses_to_delete_a_young_letter(databases: Databases, acme: Provisioned) -> None:
    own = acme.organization.id
    drain(databases, message(own, "young"))

    with databases.platform.tenant_transaction(own) as conn:
        deleted = conn.execute("DELETE FROM dead_letters WHERE organization_id = %s", (own,)).rowcount

    assert deleted == 0
