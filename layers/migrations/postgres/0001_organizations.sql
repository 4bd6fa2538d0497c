-- Roles are made by the operator before the first deploy (docs/operations.md): tenancy_owner runs this,
-- tenancy_functions and tenancy_platform log in, tenancy_lookup only owns the look-ups of 0005.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO tenancy_functions, tenancy_platform, tenancy_lookup;

-- The tenant of the running transaction; no tenant is NULL, which equals no row's. After SET LOCAL has ended the
-- setting is '', not NULL. Policies call it in a sub-select, so that it is evaluated once a statement.
CREATE FUNCTION current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(pg_catalog.current_setting('app.current_tenant', true), '')::uuid;
REVOKE ALL ON FUNCTION current_tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION current_tenant() TO tenancy_functions, tenancy_platform, tenancy_lookup;

CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    subdomain text NOT NULL CHECK (subdomain ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    tier text NOT NULL DEFAULT 'starter' CHECK (tier IN ('starter', 'growth', 'enterprise')),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted', 'erasing', 'erased')),
    gateway_key text NOT NULL,
    token_epoch integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    purge_at timestamptz,
    deletion_reason text,
    CONSTRAINT organizations_subdomain_key UNIQUE (subdomain),
    CONSTRAINT organizations_gateway_key_key UNIQUE (gateway_key)
);
CREATE INDEX organizations_created_at_id ON organizations (created_at DESC, id DESC);

ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON organizations TO tenancy_functions
    USING (id = (SELECT current_tenant())) WITH CHECK (id = (SELECT current_tenant()));
CREATE POLICY platform ON organizations TO tenancy_platform USING (true) WITH CHECK (true);
CREATE POLICY lookup ON organizations FOR SELECT TO tenancy_lookup USING (true);

GRANT SELECT ON organizations TO tenancy_functions;
GRANT SELECT, INSERT, UPDATE ON organizations TO tenancy_platform;
GRANT SELECT (id, subdomain, tier, status, gateway_key, token_epoch) ON organizations TO tenancy_lookup;
