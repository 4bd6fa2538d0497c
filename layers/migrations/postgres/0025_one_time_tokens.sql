-- Members are invited, change and leave (docs/decisions/0059-members.md). A member chooses the name. A removed member
-- keeps the row with its address, without name and password hash.
ALTER TABLE users ADD COLUMN IF NOT EXISTS name text CHECK (length(name) BETWEEN 1 AND 255);
GRANT UPDATE (password_hash, name, role, status, token_epoch) ON users TO tenancy_platform;

-- One-time tokens, which prove by mail that a person reads the member's address. The row comes with the request, and
-- the digest with the mail, so no column ever holds a token. A mail that is sent again has another token. A used or
-- replaced token has no digest and has expired.
CREATE TABLE one_time_tokens (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('invitation', 'password_reset')),
    digest bytea CHECK (length(digest) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT one_time_tokens_user_fkey FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id),
    CONSTRAINT one_time_tokens_digest_key UNIQUE (organization_id, digest)
);
CREATE INDEX one_time_tokens_user_id ON one_time_tokens (organization_id, user_id);
CREATE INDEX one_time_tokens_expires_at ON one_time_tokens (organization_id, expires_at);

ALTER TABLE one_time_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE one_time_tokens FORCE ROW LEVEL SECURITY;

-- The platform role works only inside the transaction of the token's organization.
CREATE POLICY tenant_isolation ON one_time_tokens TO tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY only_ending ON one_time_tokens AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (
        organization_id = (SELECT current_tenant())
        AND (expires_at <= (SELECT now()) OR (SELECT is_ending((SELECT current_tenant()))))
    );
GRANT SELECT, INSERT, DELETE ON one_time_tokens TO tenancy_platform;
GRANT UPDATE (digest, expires_at) ON one_time_tokens TO tenancy_platform;

-- No values in pg_statistic, as in 0013.
ALTER TABLE users ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE one_time_tokens ALTER COLUMN purpose SET STATISTICS 0, ALTER COLUMN digest SET STATISTICS 0;
