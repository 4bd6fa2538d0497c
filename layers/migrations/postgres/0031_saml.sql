-- SAML 2.0 (docs/decisions/0072-saml.md). Of a SAML connection issuer is the provider's entity id, and certificates are
-- those of its signing keys, as DER. metadata_url is null if the organization sent the metadata itself. realm_id names the
-- subjects of the provider. It stays while its certificates change, and changes with issuer and metadata_url.
ALTER TABLE sso_connections
    DROP CONSTRAINT sso_connections_type_check,
    ADD CONSTRAINT sso_connections_type_check CHECK (type = ANY (ARRAY['oidc', 'saml'])),
    ALTER COLUMN client_id DROP NOT NULL,
    ALTER COLUMN encrypted_secret DROP NOT NULL,
    ALTER COLUMN authorization_endpoint DROP NOT NULL,
    ALTER COLUMN token_endpoint DROP NOT NULL,
    ALTER COLUMN jwks_uri DROP NOT NULL,
    ALTER COLUMN is_secret_in_form DROP NOT NULL,
    ALTER COLUMN names_issuer DROP NOT NULL,
    ADD COLUMN realm_id uuid,
    ADD COLUMN metadata_url text CHECK (length(metadata_url) <= 2000),
    ADD COLUMN sign_in_url text CHECK (length(sign_in_url) <= 2000),
    ADD COLUMN certificates bytea[] CHECK (cardinality(certificates) <= 10),
    ADD CONSTRAINT sso_connections_oidc CHECK (
        type <> 'oidc' OR num_nulls(
            client_id, encrypted_secret, authorization_endpoint, token_endpoint, jwks_uri, is_secret_in_form, names_issuer
        ) = 0
    ),
    ADD CONSTRAINT sso_connections_saml CHECK (
        type <> 'saml' OR (realm_id IS NOT NULL AND sign_in_url IS NOT NULL AND cardinality(certificates) >= 1)
    );

-- The provider's answer comes without the browser's cookie. Until the browser comes with it, sealed_identity is the
-- proven person, encrypted with a key that only the finish token gives. finish_digest is the SHA-256 of that token.
ALTER TABLE sso_log_ins
    ADD COLUMN finish_digest bytea CHECK (length(finish_digest) = 32),
    ADD COLUMN sealed_identity bytea CHECK (length(sealed_identity) <= 8192),
    ADD COLUMN finished_at timestamptz,
    ADD CONSTRAINT sso_log_ins_finish_digest_key UNIQUE (organization_id, finish_digest);

-- The assertions that were accepted, as SHA-256 of provider and id, until they expire. The primary key refuses a replay.
CREATE TABLE sso_assertions (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    assertion_digest bytea NOT NULL CHECK (length(assertion_digest) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, assertion_digest)
);
CREATE INDEX sso_assertions_expires_at ON sso_assertions (organization_id, expires_at);

ALTER TABLE sso_assertions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sso_assertions FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON sso_assertions TO tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY only_ending ON sso_assertions AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (
        organization_id = (SELECT current_tenant())
        AND (expires_at <= (SELECT now()) OR (SELECT is_ending((SELECT current_tenant()))))
    );

GRANT SELECT (realm_id, metadata_url, sign_in_url) ON sso_connections TO tenancy_functions; -- for exports
GRANT UPDATE (realm_id, metadata_url, sign_in_url, certificates) ON sso_connections TO tenancy_platform;
GRANT UPDATE (finish_digest, sealed_identity, finished_at) ON sso_log_ins TO tenancy_platform;
GRANT SELECT, INSERT, DELETE ON sso_assertions TO tenancy_platform;
GRANT UPDATE (expires_at) ON sso_assertions TO tenancy_platform; -- for its lock

-- No values in pg_statistic, as in 0013.
ALTER TABLE sso_connections
    ALTER COLUMN metadata_url SET STATISTICS 0, ALTER COLUMN sign_in_url SET STATISTICS 0,
    ALTER COLUMN certificates SET STATISTICS 0;
ALTER TABLE sso_log_ins
    ALTER COLUMN finish_digest SET STATISTICS 0, ALTER COLUMN sealed_identity SET STATISTICS 0;
ALTER TABLE sso_assertions ALTER COLUMN assertion_digest SET STATISTICS 0;
