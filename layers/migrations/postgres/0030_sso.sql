-- Single sign-on of an organization (docs/decisions/0070-single-sign-on.md). The client secret is encrypted by KMS for
-- this organization alone. id names the provider and the client: it changes with either, and ends the log-ins that
-- began with the former one.
CREATE TABLE sso_connections (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    id uuid NOT NULL,
    type text NOT NULL CHECK (type = ANY (ARRAY['oidc'])),
    issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 500),
    client_id text NOT NULL CHECK (length(client_id) BETWEEN 1 AND 255),
    encrypted_secret bytea NOT NULL,
    authorization_endpoint text NOT NULL CHECK (length(authorization_endpoint) <= 2000),
    token_endpoint text NOT NULL CHECK (length(token_endpoint) <= 2000),
    jwks_uri text NOT NULL CHECK (length(jwks_uri) <= 2000),
    userinfo_endpoint text CHECK (length(userinfo_endpoint) <= 2000),
    is_secret_in_form boolean NOT NULL,
    names_issuer boolean NOT NULL,
    discovered_at timestamptz NOT NULL,
    default_role text NOT NULL CHECK (default_role IN ('super_admin', 'admin', 'analyst', 'viewer')),
    required boolean NOT NULL,
    redirect_uris text[] NOT NULL CHECK (cardinality(redirect_uris) <= 10),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (organization_id)
);

-- A log-in that began. Its state is used once. The state, the secret in the browser's cookie and the code for the
-- client are stored as SHA-256. The nonce and the PKCE verifier are derived from the state and the cookie, so no row
-- has them. A row expires with its state, and later with its code.
CREATE TABLE sso_log_ins (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    state_digest bytea NOT NULL CHECK (length(state_digest) = 32),
    browser_digest bytea NOT NULL CHECK (length(browser_digest) = 32),
    connection_id uuid NOT NULL,
    redirect_uri text NOT NULL CHECK (length(redirect_uri) <= 2000),
    code_challenge text CHECK (length(code_challenge) <= 43),
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    user_id uuid,
    code_digest bytea CHECK (length(code_digest) = 32),
    code_used_at timestamptz,
    PRIMARY KEY (organization_id, state_digest),
    CONSTRAINT sso_log_ins_code_digest_key UNIQUE (organization_id, code_digest),
    CONSTRAINT sso_log_ins_user_fkey FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id),
    CONSTRAINT sso_log_ins_proven CHECK ((user_id IS NULL) = (code_digest IS NULL))
);
CREATE INDEX sso_log_ins_expires_at ON sso_log_ins (organization_id, expires_at);

-- The subject by which a provider knows a member. A member has one subject of a provider. realm_id is null for OpenID
-- Connect, whose issuer is proven by TLS. The name of a SAML provider is not proven. There it is that of the connection.
CREATE TABLE sso_identities (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    type text NOT NULL CHECK (type = ANY (ARRAY['oidc', 'saml'])),
    issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 500),
    realm_id uuid,
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT sso_identities_subject_key UNIQUE NULLS NOT DISTINCT (organization_id, type, issuer, subject, realm_id),
    CONSTRAINT sso_identities_user_key UNIQUE NULLS NOT DISTINCT (organization_id, user_id, type, issuer, realm_id),
    CONSTRAINT sso_identities_realm CHECK ((type = 'saml') = (realm_id IS NOT NULL)),
    CONSTRAINT sso_identities_user_fkey FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);

ALTER TABLE sso_connections ENABLE ROW LEVEL SECURITY;
ALTER TABLE sso_connections FORCE ROW LEVEL SECURITY;
ALTER TABLE sso_log_ins ENABLE ROW LEVEL SECURITY;
ALTER TABLE sso_log_ins FORCE ROW LEVEL SECURITY;
ALTER TABLE sso_identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE sso_identities FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON sso_connections TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON sso_log_ins TO tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON sso_identities TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
-- A connection is ended before its row is deleted.
CREATE POLICY only_ending ON sso_connections AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (
        organization_id = (SELECT current_tenant())
        AND (ended_at IS NOT NULL OR (SELECT is_ending((SELECT current_tenant()))))
    );
CREATE POLICY only_ending ON sso_log_ins AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (
        organization_id = (SELECT current_tenant())
        AND (expires_at <= (SELECT now()) OR (SELECT is_ending((SELECT current_tenant()))))
    );
CREATE POLICY only_ending ON sso_identities AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));

-- For exports, without the secret.
GRANT SELECT (organization_id, id, type, issuer, client_id, default_role, required, redirect_uris, created_at, updated_at)
    ON sso_connections TO tenancy_functions;
GRANT SELECT ON sso_identities TO tenancy_functions;
GRANT SELECT, INSERT, DELETE ON sso_connections, sso_log_ins, sso_identities TO tenancy_platform;
GRANT UPDATE (id, type, issuer, client_id, encrypted_secret, authorization_endpoint, token_endpoint, jwks_uri,
              userinfo_endpoint, is_secret_in_form, names_issuer, discovered_at, default_role, required, redirect_uris, updated_at, ended_at)
    ON sso_connections TO tenancy_platform;
GRANT UPDATE (subject, created_at) ON sso_identities TO tenancy_platform;
GRANT UPDATE (expires_at, used_at, user_id, code_digest, code_used_at) ON sso_log_ins TO tenancy_platform;

-- No values in pg_statistic, as in 0013.
ALTER TABLE sso_connections
    ALTER COLUMN type SET STATISTICS 0, ALTER COLUMN issuer SET STATISTICS 0, ALTER COLUMN client_id SET STATISTICS 0,
    ALTER COLUMN encrypted_secret SET STATISTICS 0, ALTER COLUMN authorization_endpoint SET STATISTICS 0,
    ALTER COLUMN token_endpoint SET STATISTICS 0, ALTER COLUMN jwks_uri SET STATISTICS 0,
    ALTER COLUMN userinfo_endpoint SET STATISTICS 0,
    ALTER COLUMN default_role SET STATISTICS 0, ALTER COLUMN redirect_uris SET STATISTICS 0;
ALTER TABLE sso_log_ins
    ALTER COLUMN state_digest SET STATISTICS 0, ALTER COLUMN browser_digest SET STATISTICS 0,
    ALTER COLUMN redirect_uri SET STATISTICS 0, ALTER COLUMN code_challenge SET STATISTICS 0,
    ALTER COLUMN code_digest SET STATISTICS 0;
ALTER TABLE sso_identities
    ALTER COLUMN type SET STATISTICS 0, ALTER COLUMN issuer SET STATISTICS 0, ALTER COLUMN subject SET STATISTICS 0;
