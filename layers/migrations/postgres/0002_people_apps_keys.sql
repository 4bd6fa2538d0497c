CREATE TABLE users (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    password_hash text,
    role text NOT NULL CHECK (role IN ('super_admin', 'admin', 'analyst', 'viewer')),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'invited', 'disabled', 'removed')),
    token_epoch integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_organization_id_id_key UNIQUE (organization_id, id),
    CONSTRAINT users_organization_id_email_key UNIQUE (organization_id, email)
);
CREATE INDEX users_organization_id_created_at ON users (organization_id, created_at DESC);

CREATE TABLE apps (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    platform text NOT NULL CHECK (length(platform) BETWEEN 1 AND 100),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'removed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT apps_organization_id_id_key UNIQUE (organization_id, id)
);
CREATE INDEX apps_organization_id_created_at ON apps (organization_id, created_at DESC);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    type text NOT NULL CHECK (type IN ('sk', 'wk')),
    app_id uuid,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    digest bytea NOT NULL CHECK (length(digest) = 32),
    hint text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT api_keys_organization_id_id_key UNIQUE (organization_id, id),
    CONSTRAINT api_keys_digest_key UNIQUE (digest),
    -- Checks of foreign keys bypass row-level security: the organization is part of the key, so that no row of one
    -- can point at a row of another.
    CONSTRAINT api_keys_app_fkey FOREIGN KEY (organization_id, app_id) REFERENCES apps (organization_id, id),
    CONSTRAINT api_keys_write_key_has_app CHECK ((type = 'wk') = (app_id IS NOT NULL))
);
CREATE INDEX api_keys_organization_id_created_at ON api_keys (organization_id, created_at DESC);

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
ALTER TABLE apps ENABLE ROW LEVEL SECURITY;
ALTER TABLE apps FORCE ROW LEVEL SECURITY;
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;

-- The platform role, too, writes a tenant's rows only inside that tenant's transaction.
CREATE POLICY tenant_isolation ON users TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON apps TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON api_keys TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY lookup ON users FOR SELECT TO tenancy_lookup USING (true);
CREATE POLICY lookup ON api_keys FOR SELECT TO tenancy_lookup USING (true);

GRANT SELECT ON users, apps, api_keys TO tenancy_functions, tenancy_platform;
GRANT INSERT ON users, apps, api_keys TO tenancy_platform;
GRANT SELECT (id, organization_id, role, status, token_epoch) ON users TO tenancy_lookup;
GRANT SELECT (id, organization_id, type, digest, scopes, expires_at, revoked_at) ON api_keys TO tenancy_lookup;
