-- A sealed successor is given again for 30 seconds (SUCCESSOR_RETENTION). The sweep finds the organizations with older
-- ones, and deletes these in a transaction of each. A transaction of a tenant sees no row of others.
CREATE POLICY old_successors ON refresh_tokens FOR SELECT TO tenancy_platform
    USING (
        successor IS NOT NULL AND used_at < (SELECT now()) - interval '30 seconds'
        AND (SELECT current_tenant()) IS NULL
    );
CREATE INDEX refresh_tokens_successor ON refresh_tokens (organization_id, session_id, used_at)
    WHERE successor IS NOT NULL;

-- A session ends after a number of refreshes (MAX_REFRESHES), so that its tokens do not grow without end.
ALTER TABLE sessions ADD COLUMN refreshes integer NOT NULL DEFAULT 0;
GRANT UPDATE (refreshes) ON sessions TO tenancy_platform;
