-- Dead letters: messages that were not loaded or written, and sampled calls that could not be used. One row for each
-- object in the bucket of dead letters, whose key is organization_id/id. The row comes before its object, so that no
-- object is without a row; stored_at is set when the object is there. The platform's own letters have the id of the
-- platform's audit log, so organization_id references no organization.
-- redriven_at: sent back once. failed_again_at: set aside once more after that. deleted_at: the object is gone.
CREATE TABLE dead_letters (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    letter_kind text NOT NULL CHECK (letter_kind IN ('events', 'held_events', 'audit', 'calls')),
    cause text NOT NULL,
    events integer,
    call_index integer,
    size_bytes integer NOT NULL,
    first_received_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    stored_at timestamptz,
    redriven_at timestamptz,
    failed_again_at timestamptz,
    deleted_at timestamptz,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX dead_letters_cause ON dead_letters (organization_id, letter_kind, cause, first_received_at);
CREATE INDEX dead_letters_stored_at ON dead_letters (organization_id, stored_at, id);
CREATE INDEX dead_letters_expires_at ON dead_letters (expires_at);

ALTER TABLE dead_letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE dead_letters FORCE ROW LEVEL SECURITY;

-- The platform writes only inside the transaction of the letter's organization. It lists expired letters of all.
CREATE POLICY tenant_isolation ON dead_letters TO tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY platform_reads ON dead_letters FOR SELECT TO tenancy_platform USING (true);
CREATE POLICY only_ending ON dead_letters AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (
        organization_id = (SELECT current_tenant())
        AND (expires_at <= (SELECT now()) OR (SELECT is_ending((SELECT current_tenant()))))
    );
GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letters TO tenancy_platform;

-- How far the erasure of a data subject has searched the organization's dead letters.
ALTER TABLE erasures
    ADD COLUMN letters_stored_at timestamptz,
    ADD COLUMN letters_id uuid;

-- No values in pg_statistic, as in 0013.
ALTER TABLE dead_letters
    ALTER COLUMN letter_kind SET STATISTICS 0, ALTER COLUMN cause SET STATISTICS 0;
