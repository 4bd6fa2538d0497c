"""A key that is older than its policy allows is noticed once."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.durations import PLATFORM_KEY_ROTATION
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.rules.keys.key_rotation import KEYS_MAILED
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxKind, OutboxTargets, run_due_entries
from tenancy.use_cases.schedule.notice_rotations import RotationNotices, notice_rotations
from tests.given import Databases
from tests.handlers.functions import Mails, superuser
from tests.use_cases.admitting import NOW

DAYS = timedelta(days=1)
SECOND = timedelta(seconds=1)
POLICY = 90 * DAYS
INSERT_KEY = """
    INSERT INTO api_keys (id, organization_id, type, name, digest, hint, scopes, created_at)
    VALUES (%s, %s, 'sk', %s, %s, '1234', '{}', %s)
"""
INSERT_USER = """
    INSERT INTO users (id, organization_id, email, role, status) VALUES (gen_random_uuid(), %s, %s, %s, %s)
"""
INSERT_PLATFORM_KEY = "INSERT INTO platform_keys (id, name, digest, created_at) VALUES (%s, 'Ann', %s, %s)"


def run(databases: Databases, now: datetime = NOW) -> RotationNotices:
    notices = notice_rotations(databases.platform, now=now)
    assert notices.failures == []
    return notices


def age_keys(databases: Databases, provisioned: Provisioned, age: timedelta = POLICY) -> None:
    with superuser(databases) as conn:
        values = (NOW - age, provisioned.organization.id)
        conn.execute("UPDATE api_keys SET created_at = %s WHERE organization_id = %s", values)


def change(databases: Databases, statement: str, *values: object) -> None:
    with superuser(databases) as conn:
        conn.execute(statement.encode(), values)


def recorded(databases: Databases, organization_id: UUID) -> list[str]:
    """Return the keys in the records of due rotations."""
    with superuser(databases) as conn:
        statement = "SELECT target FROM audit_log WHERE organization_id = %s AND action = 'key.rotation_due' ORDER BY 1"
        return [target for (target,) in conn.execute(statement, (organization_id,))]


def mailed(databases: Databases) -> list[tuple[UUID, dict[str, object]]]:
    with superuser(databases) as conn:
        statement = "SELECT organization_id, payload FROM outbox WHERE kind = %s ORDER BY payload ->> 'to'"
        return conn.execute(statement, (OutboxKind.KEY_ROTATION_MAIL,)).fetchall()


def test_due_keys_are_noticed_once(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    age_keys(databases, acme)
    age_keys(databases, globex, POLICY - SECOND)

    assert [run(databases).keys for _ in range(2)] == [2, 0]

    keys = sorted([str(acme.secret_key_id), str(acme.write_key_id)])
    assert recorded(databases, acme.organization.id) == keys
    assert recorded(databases, globex.organization.id) == []
    [(organization_id, payload)] = mailed(databases)
    assert (organization_id, payload["to"], payload["number"]) == (acme.organization.id, acme.admin_email, 2)
    assert run(databases, NOW + SECOND).keys == 2  # those of globex


def test_mail_names_keys_and_the_call_that_rotates_them(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, mails: Mails
) -> None:
    age_keys(databases, acme)
    change(databases, "UPDATE api_keys SET prefix = 'wk_AbCdE' WHERE id = %s", acme.write_key_id)
    change(databases, "UPDATE api_keys SET prefix = NULL WHERE id = %s", acme.secret_key_id)  # of an earlier release

    run(databases)
    [(_, payload)] = mailed(databases)
    run_due_entries(databases.platform, targets, now=NOW)

    lines = str(payload["keys"]).splitlines()
    assert sorted(lines) == [
        f"Default App (wk_AbCdE…{acme.write_key.hint}), id {acme.write_key_id}",
        f"First secret key (sk_…{acme.secret_key.hint}), id {acme.secret_key_id}",
    ]
    assert (acme.admin_email, "API keys of your organization are to be rotated") in mails()


def test_only_active_admins_get_the_mail(databases: Databases, acme: Provisioned) -> None:
    age_keys(databases, acme)
    for name, role, status in (
        ("second", "admin", "active"),
        ("third", "analyst", "active"),
        ("fourth", "admin", "disabled"),
        ("fifth", "super_admin", "invited"),
    ):
        change(databases, INSERT_USER, acme.organization.id, f"{name}@acme.example", role, status)

    run(databases)

    assert [payload["to"] for _, payload in mailed(databases)] == [acme.admin_email, "second@acme.example"]


@pytest.mark.parametrize(
    "end",
    ["revoked_at = %(now)s", "expires_at = %(now)s", "expires_at = %(later)s, replaced_by = %(successor)s"],
    ids=["revoked", "expired", "in its overlap"],
)
def test_key_that_ends_is_not_due(databases: Databases, acme: Provisioned, end: str) -> None:
    age_keys(databases, acme)
    with superuser(databases) as conn:
        values = {"now": NOW, "later": NOW + DAYS, "successor": uuid4()}
        conn.execute(f"UPDATE api_keys SET {end}".encode(), values)

    assert run(databases).keys == 0
    assert (recorded(databases, acme.organization.id), mailed(databases)) == ([], [])


@pytest.mark.parametrize(("days", "age", "due"), [(None, 4_000 * DAYS, 0), (7, 7 * DAYS, 2), (7, 7 * DAYS - SECOND, 0)])
def test_organization_has_a_policy_of_its_own(
    databases: Databases, acme: Provisioned, days: int | None, age: timedelta, due: int
) -> None:
    age_keys(databases, acme, age)
    change(databases, "UPDATE organizations SET key_rotation_days = %s", days)

    assert run(databases).keys == due


@pytest.mark.parametrize(("status", "due"), [("suspended", 2), ("deleted", 0), ("erasing", 0)])
def test_status_decides_whether_keys_are_noticed(
    databases: Databases, acme: Provisioned, status: str, due: int
) -> None:
    age_keys(databases, acme)
    change(databases, "UPDATE organizations SET status = %s", status)

    assert run(databases).keys == due


def test_mail_names_a_bounded_number_of_keys(databases: Databases, acme: Provisioned) -> None:
    age_keys(databases, acme)
    for number in range(KEYS_MAILED):
        key = generate_key(KeyType.SECRET)
        values = (uuid4(), acme.organization.id, f"key {number}", key.digest, NOW - POLICY - DAYS)
        change(databases, INSERT_KEY, *values)

    run(databases)

    [(_, payload)] = mailed(databases)
    lines = str(payload["keys"]).splitlines()
    assert payload["number"] == KEYS_MAILED + 2
    assert lines[-1] == "and 2 more"
    assert len(lines) == KEYS_MAILED + 1


def test_organization_that_fails_does_not_stop_the_others(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    for provisioned in (acme, globex):
        age_keys(databases, provisioned)
    fail = "ALTER TABLE outbox ADD CONSTRAINT none_of_acme CHECK (organization_id <> '{}')"
    change(databases, fail.format(acme.organization.id))

    notices = notice_rotations(databases.platform, now=NOW)

    assert [type(failure) for failure in notices.failures] == [psycopg.errors.CheckViolation]
    assert recorded(databases, acme.organization.id) == []
    assert len(recorded(databases, globex.organization.id)) == 2


def test_due_platform_key_is_recorded_once_until_rotated(databases: Databases) -> None:
    due, fresh, replaced = uuid4(), uuid4(), uuid4()
    for key_id, age in ((due, timedelta()), (fresh, -SECOND), (replaced, timedelta())):
        created_at = NOW - PLATFORM_KEY_ROTATION - age
        change(databases, INSERT_PLATFORM_KEY, key_id, generate_key(KeyType.PLATFORM).digest, created_at)
    change(databases, "UPDATE platform_keys SET replaced_by = %s WHERE id = %s", fresh, replaced)

    found = [run(databases).platform_keys for _ in range(2)]

    assert found == [[due]] * 2
    assert recorded(databases, PLATFORM_LOG) == [str(due)]

    change(databases, "UPDATE platform_keys SET revoked_at = %s WHERE id = %s", NOW, due)
    assert run(databases).platform_keys == []
