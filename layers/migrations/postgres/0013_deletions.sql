-- An organization's end (decision 7). Every deletion has its own generation, so that an execution which wakes late
-- finds itself overtaken; status_before_deletion is what a restore brings back. last_contact is kept from the erasure
-- of the users until the mail that tells of it is owed.
ALTER TABLE organizations
    ADD COLUMN deletion_generation integer NOT NULL DEFAULT 0,
    ADD COLUMN status_before_deletion text CHECK (status_before_deletion IN ('active', 'suspended')),
    ADD COLUMN gate_closed_at timestamptz,
    ADD COLUMN erased_at timestamptz,
    ADD COLUMN last_contact text;
CREATE INDEX organizations_erased_at ON organizations (erased_at) WHERE status = 'erased';
CREATE INDEX organizations_ending ON organizations (purge_at) WHERE status IN ('deleted', 'erasing');

-- What was erased, signed: one row a count. The first is the certificate, later ones have counted again.
CREATE TABLE deletion_certificates (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    generation integer NOT NULL,
    issued_at timestamptz NOT NULL,
    text json NOT NULL, -- json, not jsonb: exactly the bytes that were signed
    signature bytea NOT NULL
);
CREATE INDEX deletion_certificates_organization_id ON deletion_certificates (organization_id, issued_at);
ALTER TABLE deletion_certificates ENABLE ROW LEVEL SECURITY;
ALTER TABLE deletion_certificates FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON deletion_certificates TO tenancy_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON deletion_certificates TO tenancy_platform;

-- Under which subdomains nobody may be found for a while after their organization was erased: SHA-256, no names.
CREATE TABLE quarantined_subdomains (
    digest bytea PRIMARY KEY CHECK (length(digest) = 32),
    ends_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON quarantined_subdomains TO tenancy_platform;

-- The platform deletes rows of these tables only in the transaction of a tenant, and only when that organization is being erased, or was, whatever
-- statement it runs; in the transaction of such a tenant, addresses of its own audit log as well.
CREATE FUNCTION is_ending(organization_id uuid) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN EXISTS (
        SELECT FROM public.organizations AS o WHERE o.id = is_ending.organization_id AND o.status IN ('erasing', 'erased')
    );
REVOKE ALL ON FUNCTION is_ending(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_ending(uuid) TO tenancy_platform;

CREATE POLICY only_ending ON users AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON apps AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON api_keys AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON tenant_usage AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON settlements AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON usage_ledger AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON usage_totals AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON measurements AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON quota_notices AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON tier_changes AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON audit_people AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (
        (organization_id = (SELECT current_tenant()) OR organization_id = '00000000-0000-0000-0000-000000000000')
        AND (SELECT is_ending((SELECT current_tenant())))
    );
GRANT DELETE ON users, apps, api_keys, tenant_usage, settlements, usage_ledger, usage_totals, measurements,
    quota_notices, tier_changes, audit_people TO tenancy_platform;

-- ANALYZE copies values into pg_statistic, where a deleted row's stay until the next one: of free texts, digests and
-- documents of who can be erased it keeps none. They are looked up by unique indexes alone, which the planner knows
-- without statistics. TYPE changes nothing but that the statistics which are there already go.
ALTER TABLE organizations
    ALTER COLUMN name TYPE text, ALTER COLUMN subdomain TYPE text, ALTER COLUMN gateway_key TYPE text,
    ALTER COLUMN deletion_reason TYPE text, ALTER COLUMN name SET STATISTICS 0,
    ALTER COLUMN subdomain SET STATISTICS 0, ALTER COLUMN gateway_key SET STATISTICS 0,
    ALTER COLUMN deletion_reason SET STATISTICS 0;
ALTER TABLE users
    ALTER COLUMN email TYPE text, ALTER COLUMN password_hash TYPE text, ALTER COLUMN email SET STATISTICS 0,
    ALTER COLUMN password_hash SET STATISTICS 0;
ALTER TABLE apps
    ALTER COLUMN name TYPE text, ALTER COLUMN platform TYPE text, ALTER COLUMN name SET STATISTICS 0,
    ALTER COLUMN platform SET STATISTICS 0;
ALTER TABLE api_keys
    ALTER COLUMN name TYPE text, ALTER COLUMN digest TYPE bytea, ALTER COLUMN hint TYPE text,
    ALTER COLUMN scopes TYPE text[], ALTER COLUMN name SET STATISTICS 0, ALTER COLUMN digest SET STATISTICS 0,
    ALTER COLUMN hint SET STATISTICS 0, ALTER COLUMN scopes SET STATISTICS 0;
ALTER TABLE usage_ledger
    ALTER COLUMN idempotency_key TYPE text, ALTER COLUMN idempotency_key SET STATISTICS 0;
ALTER TABLE outbox
    ALTER COLUMN kind TYPE text, ALTER COLUMN payload TYPE jsonb, ALTER COLUMN last_error TYPE text,
    ALTER COLUMN kind SET STATISTICS 0, ALTER COLUMN payload SET STATISTICS 0,
    ALTER COLUMN last_error SET STATISTICS 0;
ALTER TABLE audit_people
    ALTER COLUMN salt TYPE bytea, ALTER COLUMN source_address TYPE text, ALTER COLUMN salt SET STATISTICS 0,
    ALTER COLUMN source_address SET STATISTICS 0;
ALTER TABLE audit_refusals
    ALTER COLUMN action TYPE text, ALTER COLUMN target TYPE text, ALTER COLUMN code TYPE text,
    ALTER COLUMN request_id TYPE text, ALTER COLUMN source_address TYPE text, ALTER COLUMN action SET STATISTICS 0,
    ALTER COLUMN target SET STATISTICS 0, ALTER COLUMN code SET STATISTICS 0,
    ALTER COLUMN request_id SET STATISTICS 0, ALTER COLUMN source_address SET STATISTICS 0;
ALTER TABLE organizations ALTER COLUMN last_contact SET STATISTICS 0;
ALTER TABLE quarantined_subdomains ALTER COLUMN digest SET STATISTICS 0;
