"""Dead letters expire 14 days after their first receipt, whenever they were drained."""

from datetime import timedelta

import pytest

from tenancy.rules.durations import DEAD_LETTER_RETENTION
from tenancy.use_cases.dead_letters import expire
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.use_cases.dead_letters import NOW, bodies, drain, keys_of, letters, message
from tests.use_cases.privacy_jobs import run_jobs

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
    for module in (expire, run_jobs.__globals__["run_privacy_jobs"].__globals__):
        monkeypatch.setitem(module if isinstance(module, dict) else vars(module), "EXPIRED_AT_ONCE", 2)
    received_at = NOW - DEAD_LETTER_RETENTION
    drain(
        databases, *(message(acme.organization.id, "old", received_at=received_at) for _ in range(5)), now=received_at
    )

    assert run_jobs(databases, NOW).letters_expired == 5
    assert bodies() == {}


def test_database_refuses_to_delete_a_young_letter(databases: Databases, acme: Provisioned) -> None:
    own = acme.organization.id
    drain(databases, message(own, "young"))

    with databases.platform.tenant_transaction(own) as conn:
        deleted = conn.execute("DELETE FROM dead_letters WHERE organization_id = %s", (own,)).rowcount

    assert deleted == 0
