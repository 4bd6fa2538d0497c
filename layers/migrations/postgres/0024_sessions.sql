-- Sessions of members (docs/decisions/0058-sessions.md). A refresh token is used once. Its use makes the next one. All
-- tokens of a session are one family. Of a token, only its SHA-256 is stored. The successor of a used token is
-- encrypted with a key that is derived from the used token's text, so these rows alone reveal no token.
--
-- expires_at moves with each refresh. An ended session expires at once. organization_epoch is that of the log-in: a
-- session ends if all tokens of its organization are revoked.
CREATE TABLE sessions (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    organization_epoch integer NOT NULL,
    created_at timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT sessions_user_fkey FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE INDEX sessions_user_id ON sessions (organization_id, user_id, refreshed_at);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    digest bytea NOT NULL CHECK (length(digest) = 32),
    session_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    successor bytea,
    PRIMARY KEY (organization_id, digest),
    CONSTRAINT refresh_tokens_session_fkey FOREIGN KEY (organization_id, session_id)
        REFERENCES sessions (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_session_id ON refresh_tokens (organization_id, session_id);

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON sessions TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON refresh_tokens TO tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
-- The sweep finds the organizations with expired sessions, and deletes these in a transaction of each.
CREATE POLICY expired ON sessions FOR SELECT TO tenancy_platform USING (expires_at <= (SELECT now()));
CREATE POLICY only_ending ON sessions AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (
        organization_id = (SELECT current_tenant())
        AND (expires_at <= (SELECT now()) OR (SELECT is_ending((SELECT current_tenant()))))
    );
CREATE POLICY only_ending ON refresh_tokens AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));

GRANT SELECT ON sessions TO tenancy_functions; -- for exports
GRANT SELECT, INSERT, DELETE ON sessions, refresh_tokens TO tenancy_platform;
GRANT UPDATE (refreshed_at, expires_at, ended_at) ON sessions TO tenancy_platform;
GRANT UPDATE (used_at, successor) ON refresh_tokens TO tenancy_platform;

ALTER TABLE users ADD COLUMN IF NOT EXISTS name text CHECK (length(name) BETWEEN 1 AND 255);
GRANT UPDATE (name, password_hash, token_epoch) ON users TO tenancy_platform;

-- No values in pg_statistic, as in 0013.
ALTER TABLE users ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE refresh_tokens
    ALTER COLUMN digest SET STATISTICS 0, ALTER COLUMN successor SET STATISTICS 0;
