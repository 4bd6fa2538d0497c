"""No role of the application may change or delete audit entries."""

import psycopg
import pytest

from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.use_cases.audit_records import NOW


def test_no_role_changes_or_deletes_audit_entries(databases: Databases, acme: Provisioned) -> None:
    seal_audit_logs(databases.platform, now=NOW)

    forbidden = (
        "UPDATE audit_log SET action = 'x'",
        "UPDATE audit_log SET occurred_at = now()",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log CASCADE",
        "DELETE FROM audit_heads",
        "DELETE FROM audit_checkpoints",
        "UPDATE audit_checkpoints SET sequence = 9",
        "UPDATE audit_people SET source_address = 'x'",
        "DELETE FROM audit_people",
    )
    for statement in forbidden:
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            databases.functions.tenant_transaction(acme.organization.id) as conn,
        ):
            conn.execute(statement)

    for statement in set(forbidden) - {"DELETE FROM audit_log", "DELETE FROM audit_people"}:
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            databases.platform.transaction() as conn,
        ):
            conn.execute(statement)


def test_platform_role_cannot_change_sealed_entries(databases: Databases, acme: Provisioned) -> None:
    seal_audit_logs(databases.platform, now=NOW)

    with databases.platform.transaction() as conn:
        assert conn.execute("DELETE FROM audit_log").rowcount == 0
        assert conn.execute("DELETE FROM audit_people").rowcount == 0
        assert conn.execute("UPDATE audit_log SET sequence = 7, seal = sha256('x')").rowcount == 0

    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        databases.platform.transaction() as conn,
    ):
        conn.execute(
            "INSERT INTO audit_checkpoints VALUES (%s, 1, sha256('x'), now() - interval '364 days', 'x')",
            (acme.organization.id,),
        )
