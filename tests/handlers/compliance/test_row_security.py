"""Row-level security in reports of compliance: from the catalog, and without a claim."""

from dataclasses import replace
from uuid import uuid4

import pytest

from tenancy.rules.compliance import MAX_POLICIES, OWN_TENANT, RowPolicy, RowSecurity, TableSecurity
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.compliance.reports import own_report, platform_report
from tests.handlers.functions import Function, superuser

OWN_ROWS = RowPolicy(
    name="tenant_isolation",
    command="ALL",
    is_permissive=True,
    roles=["tenancy_functions"],
    using=f"(organization_id = {OWN_TENANT})",
    check=None,
    is_for_tenants=True,
)


def test_row_level_security_is_that_of_the_catalog(
    audit: Function, compliance: Function, databases: Databases, acme: Provisioned
) -> None:
    before = own_report(audit, acme)["row_level_security"]
    with superuser(databases) as conn:
        conn.execute("ALTER TABLE apps NO FORCE ROW LEVEL SECURITY")

    own, all_of_them = own_report(audit, acme), platform_report(compliance)

    assert before["unprotected"] == []
    assert before["protected"] == len(before["tables"]) > 30
    [keys] = [each for each in before["tables"] if each["table"] == "api_keys"]
    assert (keys["is_enabled"], keys["is_forced"]) == (True, True)
    assert "tenancy_functions" in {role for policy in keys["policies"] for role in policy["roles"]}
    assert own["row_level_security"]["unprotected"] == ["apps"]
    assert all_of_them["row_level_security"].pop("unbound_roles")
    assert all_of_them["row_level_security"] == own["row_level_security"]


@pytest.mark.parametrize(
    "policy",
    [
        "ON apps USING (true)",
        "ON apps FOR SELECT TO tenancy_functions USING (length(name) > 0)",
        "ON apps TO tenancy_functions USING (organization_id = (SELECT current_tenant()) OR length(name) > 0)",
        "ON apps FOR INSERT TO tenancy_functions WITH CHECK (true)",
        "ON apps TO tenancy_functions USING (organization_id = (SELECT current_tenant())) WITH CHECK (true)",
        "ON apps TO tenancy_functions USING (id = (SELECT current_tenant()))",
    ],
)
def test_policy_that_shows_other_rows_protects_nothing(
    audit: Function, databases: Databases, acme: Provisioned, policy: str
) -> None:
    with superuser(databases) as conn:
        conn.execute(f"CREATE POLICY wide {policy}")

    security = own_report(audit, acme)["row_level_security"]

    assert security["unprotected"] == ["apps"]
    [apps] = [each for each in security["tables"] if each["table"] == "apps"]
    [wide] = [each for each in apps["policies"] if each["name"] == "wide"]
    assert (wide["using"] or wide["check"]) in {"true", "(length(name) > 0)"} or "tenant()" in wide["using"]


def test_table_with_more_policies_than_are_read_is_unprotected() -> None:
    full = TableSecurity(table="apps", is_enabled=True, is_forced=True, policies=[OWN_ROWS] * MAX_POLICIES)

    assert (full.is_protected, replace(full, policies=[OWN_ROWS]).is_protected) == (False, True)


def test_narrower_policy_of_the_own_rows_protects(audit: Function, databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute(
            "CREATE POLICY narrow ON apps TO tenancy_functions "
            "USING (organization_id = (SELECT current_tenant()) AND length(name) > 0)"
        )

    assert own_report(audit, acme)["row_level_security"]["unprotected"] == []


def test_roles_that_no_policy_binds_are_shown_to_the_operator(
    audit: Function, compliance: Function, databases: Databases, acme: Provisioned
) -> None:
    role = f"intruder_{uuid4().hex}"
    with superuser(databases) as conn:
        conn.execute(f"CREATE ROLE {role} BYPASSRLS")
        try:
            own, all_of_them = own_report(audit, acme), platform_report(compliance)
        finally:
            conn.execute(f"DROP ROLE {role}")

    roles = all_of_them["row_level_security"]["unbound_roles"]
    assert role in roles
    assert not [each for each in roles if each.startswith("tenancy_")]
    assert "unbound_roles" not in own["row_level_security"]


def test_unbound_role_of_functions_protects_no_table() -> None:
    tables = [TableSecurity(table="apps", is_enabled=True, is_forced=True, policies=[OWN_ROWS])]

    unprotected = {
        role: RowSecurity(tables=tables, unbound_roles=[role]).unprotected
        for role in ("postgres", "tenancy_functions", "tenancy_platform")
    }

    assert unprotected == {"postgres": [], "tenancy_functions": ["apps"], "tenancy_platform": ["apps"]}
