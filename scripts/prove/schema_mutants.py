"""Mutants of PostgreSQL's schema."""

from typing import Final

from scripts.prove import expected_tests
from scripts.prove.mutant import POSTGRES, Mutant

MUTANTS: Final = (
    Mutant(
        name="the apps table does not force row-level security",
        safeguard="row-level security, forced",
        file=f"{POSTGRES}/0002_people_apps_keys.sql",
        old="ALTER TABLE apps FORCE ROW LEVEL SECURITY;\n",
        new="",
        caught_by=expected_tests.TABLE_RULES,
    ),
    Mutant(
        name="the table of one-time tokens does not force row-level security",
        safeguard="row-level security, forced",
        file=f"{POSTGRES}/0025_one_time_tokens.sql",
        old="ALTER TABLE one_time_tokens FORCE ROW LEVEL SECURITY;\n",
        new="",
        caught_by=expected_tests.TABLE_RULES,
    ),
    Mutant(
        name="the tenant_usage table does not enable row-level security",
        safeguard="row-level security, forced",
        file=f"{POSTGRES}/0003_tenant_usage.sql",
        old="ALTER TABLE tenant_usage ENABLE ROW LEVEL SECURITY;\n",
        new="",
        caught_by=expected_tests.POOLED_CONNECTION,
    ),
    Mutant(
        name="the policy on audit_log shows every row",
        safeguard="row-level security, forced",
        file=f"{POSTGRES}/0007_audit_policies.sql",
        old="ON audit_log TO tenancy_functions\n    USING (organization_id = (SELECT current_tenant()))",
        new="ON audit_log TO tenancy_functions\n    USING (true)",
        caught_by=expected_tests.POOLED_CONNECTION,
    ),
    Mutant(
        name="the policy on apps accepts every row",
        safeguard="row-level security, forced",
        file=f"{POSTGRES}/0002_people_apps_keys.sql",
        old=(
            "ON apps TO tenancy_functions, tenancy_platform\n    USING (organization_id = (SELECT current_tenant()))"
            " WITH CHECK (organization_id = (SELECT current_tenant()));"
        ),
        new=(
            "ON apps TO tenancy_functions, tenancy_platform\n    USING (organization_id = (SELECT current_tenant()))"
            " WITH CHECK (true);"
        ),
        caught_by=expected_tests.TABLE_RULES,
    ),
    Mutant(
        name="the policy on settlements shows every row without a tenant",
        safeguard="row-level security, forced",
        file=f"{POSTGRES}/0003_tenant_usage.sql",
        old="ON settlements TO tenancy_functions\n    USING (organization_id = (SELECT current_tenant()))",
        new=(
            "ON settlements TO tenancy_functions\n"
            "    USING (organization_id = coalesce((SELECT current_tenant()), organization_id))"
        ),
        caught_by=expected_tests.POOLED_CONNECTION,
    ),
    Mutant(
        name="a new table has no row-level security",
        safeguard="row-level security, forced",
        file=f"{POSTGRES}/0004_outbox.sql",
        old="CREATE INDEX outbox_due_at ON outbox (due_at);\n",
        new=(
            "CREATE INDEX outbox_due_at ON outbox (due_at);\n"
            "CREATE TABLE notes (\n"
            "    organization_id uuid PRIMARY KEY REFERENCES organizations (id), words text NOT NULL\n"
            ");\n"
            "GRANT SELECT ON notes TO tenancy_functions;\n"
        ),
        caught_by=expected_tests.TABLE_RULES,
    ),
    Mutant(
        name="a foreign key does not contain the organization",
        safeguard="composite foreign keys",
        file=f"{POSTGRES}/0019_composite_keys.sql",
        old=(
            "ADD CONSTRAINT api_keys_pkey PRIMARY KEY (organization_id, id),\n"
            "    ADD CONSTRAINT api_keys_app_fkey FOREIGN KEY (organization_id, app_id)"
            " REFERENCES apps (organization_id, id);"
        ),
        new=(
            "ADD CONSTRAINT api_keys_pkey PRIMARY KEY (organization_id, id);\n"
            "ALTER TABLE apps ADD UNIQUE (id);\n"
            "ALTER TABLE api_keys ADD CONSTRAINT api_keys_app_fkey FOREIGN KEY (app_id) REFERENCES apps (id);"
        ),
        caught_by=expected_tests.FOREIGN_KEYS,
    ),
    Mutant(
        name="a primary key does not begin with the organization",
        safeguard="composite primary keys",
        file=f"{POSTGRES}/0019_composite_keys.sql",
        old="ADD CONSTRAINT outbox_pkey PRIMARY KEY (organization_id, id);",
        new="ADD CONSTRAINT outbox_pkey PRIMARY KEY (id, organization_id);",
        caught_by=expected_tests.TABLE_RULES,
    ),
    Mutant(
        name="digests of keys are unique in the tenants' table",
        safeguard="composite primary keys",
        file=f"{POSTGRES}/0019_composite_keys.sql",
        old="    DROP CONSTRAINT api_keys_digest_key, -- key_digests has it\n",
        new="",
        caught_by=expected_tests.TABLE_RULES,
    ),
    Mutant(
        name="the functions' role reads a look-up table",
        safeguard="look-ups",
        file=f"{POSTGRES}/0019_composite_keys.sql",
        old="GRANT SELECT, INSERT, DELETE ON key_digests TO tenancy_platform;",
        new="GRANT SELECT, INSERT, DELETE ON key_digests TO tenancy_platform, tenancy_functions;",
        caught_by=expected_tests.TABLE_RULES,
    ),
    Mutant(
        name="a listed digest is believed without the key's own row",
        safeguard="look-ups",
        file=f"{POSTGRES}/0021_app_of_a_key.sql",
        old="WHERE d.digest = wanted AND k.digest = wanted AND k.revoked_at",
        new="WHERE d.digest = wanted AND k.revoked_at",
        caught_by=expected_tests.LISTED_DIGEST,
    ),
    Mutant(
        name="the functions' role can update organizations",
        safeguard="roles",
        file=f"{POSTGRES}/0001_organizations.sql",
        old="GRANT SELECT ON organizations TO tenancy_functions;",
        new="GRANT SELECT, UPDATE ON organizations TO tenancy_functions;",
        caught_by=expected_tests.UNNEEDED_RIGHTS,
    ),
    Mutant(
        name="a definer function does not set its search path",
        safeguard="look-ups",
        file=f"{POSTGRES}/0026_due_rotations.sql",
        old="STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp",
        new="STABLE SECURITY DEFINER",
        caught_by=expected_tests.ROLE_RULES,
    ),
    Mutant(
        name="a member is looked up without the organization",
        safeguard="look-ups",
        file=f"{POSTGRES}/0012_lookups_without_status.sql",
        old="WHERE u.organization_id = wanted_organization AND u.id = wanted_user AND u.status = 'active'",
        new="WHERE u.id = wanted_user AND u.status = 'active'",
        caught_by=expected_tests.MALFORMED_CREDENTIALS,
    ),
    Mutant(
        name="the platform's role can look up credentials",
        safeguard="look-ups",
        file=f"{POSTGRES}/0016_authorizer_role.sql",
        old="    TO tenancy_authorizer;\n",
        new="    TO tenancy_authorizer, tenancy_platform;\n",
        caught_by=expected_tests.LOOK_UP_CALLERS,
    ),
    Mutant(
        name="revoked keys are accepted",
        safeguard="credentials",
        file=f"{POSTGRES}/0021_app_of_a_key.sql",
        old="AND k.digest = wanted AND k.revoked_at IS NULL AND o.status <> 'erased'",
        new="AND k.digest = wanted AND o.status <> 'erased'",
        caught_by=expected_tests.DEAD_KEYS,
    ),
)
