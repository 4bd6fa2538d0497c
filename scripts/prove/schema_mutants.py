"""Defects of PostgreSQL's schema."""

from typing import Final

from scripts.prove.mutant import POSTGRES, Mutant

MUTANTS: Final = (
    Mutant(
        name="row-level security is not forced on a table",
        wall="row-level security",
        file=f"{POSTGRES}/0002_people_apps_keys.sql",
        old="ALTER TABLE apps FORCE ROW LEVEL SECURITY;\n",
        new="",
    ),
    Mutant(
        name="row-level security is not enabled on a table",
        wall="row-level security",
        file=f"{POSTGRES}/0003_tenant_usage.sql",
        old="ALTER TABLE tenant_usage ENABLE ROW LEVEL SECURITY;\n",
        new="",
    ),
    Mutant(
        name="a policy shows every row",
        wall="row-level security",
        file=f"{POSTGRES}/0007_audit_policies.sql",
        old="ON audit_log TO tenancy_functions\n    USING (organization_id = (SELECT current_tenant()))",
        new="ON audit_log TO tenancy_functions\n    USING (true)",
    ),
    Mutant(
        name="a policy takes every row",
        wall="row-level security",
        file=f"{POSTGRES}/0002_people_apps_keys.sql",
        old=(
            "ON apps TO tenancy_functions, tenancy_platform\n    USING (organization_id = (SELECT current_tenant()))"
            " WITH CHECK (organization_id = (SELECT current_tenant()));"
        ),
        new=(
            "ON apps TO tenancy_functions, tenancy_platform\n    USING (organization_id = (SELECT current_tenant()))"
            " WITH CHECK (true);"
        ),
    ),
    Mutant(
        name="no tenant in the context is every tenant",
        wall="row-level security",
        file=f"{POSTGRES}/0003_tenant_usage.sql",
        old="ON settlements TO tenancy_functions\n    USING (organization_id = (SELECT current_tenant()))",
        new=(
            "ON settlements TO tenancy_functions\n"
            "    USING (organization_id = coalesce((SELECT current_tenant()), organization_id))"
        ),
    ),
    Mutant(
        name="a new table has no row-level security",
        wall="row-level security",
        file=f"{POSTGRES}/0004_outbox.sql",
        old="CREATE INDEX outbox_due_at ON outbox (due_at);\n",
        new=(
            "CREATE INDEX outbox_due_at ON outbox (due_at);\n"
            "CREATE TABLE notes (\n"
            "    organization_id uuid PRIMARY KEY REFERENCES organizations (id), words text NOT NULL\n"
            ");\n"
            "GRANT SELECT ON notes TO tenancy_functions;\n"
        ),
    ),
    Mutant(
        name="a foreign key goes by the id alone",
        wall="composite foreign keys",
        file=f"{POSTGRES}/0002_people_apps_keys.sql",
        old="FOREIGN KEY (organization_id, app_id) REFERENCES apps (organization_id, id)",
        new="FOREIGN KEY (app_id) REFERENCES apps (id)",
    ),
    Mutant(
        name="the functions' role may change organizations",
        wall="roles",
        file=f"{POSTGRES}/0001_organizations.sql",
        old="GRANT SELECT ON organizations TO tenancy_functions;",
        new="GRANT SELECT, UPDATE ON organizations TO tenancy_functions;",
    ),
    Mutant(
        name="a definer function does not pin its search path",
        wall="look-ups",
        file=f"{POSTGRES}/0005_lookups.sql",
        old="RETURNS SETOF uuid\n    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp",
        new="RETURNS SETOF uuid\n    LANGUAGE sql STABLE SECURITY DEFINER",
    ),
    Mutant(
        name="a member is found by the user's id alone",
        wall="look-ups",
        file=f"{POSTGRES}/0012_lookups_without_status.sql",
        old="WHERE u.organization_id = wanted_organization AND u.id = wanted_user AND u.status = 'active'",
        new="WHERE u.id = wanted_user AND u.status = 'active'",
    ),
    Mutant(
        name="revoked keys are accepted",
        wall="credentials",
        file=f"{POSTGRES}/0012_lookups_without_status.sql",
        old="WHERE k.digest = wanted AND k.revoked_at IS NULL AND o.status <> 'erased'",
        new="WHERE k.digest = wanted AND o.status <> 'erased'",
    ),
)
