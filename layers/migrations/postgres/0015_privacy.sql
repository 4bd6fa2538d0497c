-- Jobs of portability and erasure: asked for by a tenant's request, done by the platform's worker. due_at is when a job
-- is done next (of an export that is done: its files deleted), and until when the worker that has it may take; NULL when
-- nothing is left to do.

-- A generation ends when an erasure makes what was written so far stale. section and position say where the next file
-- begins; a position names no data subject.
CREATE TABLE exports (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    actor_kind text NOT NULL CHECK (actor_kind IN ('operator', 'person', 'key')),
    actor_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'done', 'withdrawn')),
    generation integer NOT NULL DEFAULT 0,
    section integer NOT NULL DEFAULT 0,
    position jsonb,
    requested_at timestamptz NOT NULL,
    finished_at timestamptz,
    expires_at timestamptz,
    due_at timestamptz,
    CONSTRAINT exports_organization_id_id_key UNIQUE (organization_id, id)
);
CREATE INDEX exports_organization_id ON exports (organization_id, requested_at);
CREATE INDEX exports_due_at ON exports (due_at) WHERE due_at IS NOT NULL;

-- The files that an export has written, in order; only those of its generation count. Their names are those in S3, below the organization's id.
CREATE TABLE export_files (
    organization_id uuid NOT NULL,
    export_id uuid NOT NULL,
    generation integer NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    section text NOT NULL,
    row_count bigint NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (organization_id, export_id, generation, number),
    CONSTRAINT export_files_export_fkey FOREIGN KEY (organization_id, export_id)
        REFERENCES exports (organization_id, id)
);

-- The subject is a salted digest from the first moment on, and forgotten when no queue can bring its events any more.
-- found is what a pass has found and not yet made up for; covered_until, up to when rows were written that the last pass
-- looked at. claimed_until is the end of the last claim, by which
-- organizations take turns.
CREATE TABLE erasures (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    actor_kind text NOT NULL CHECK (actor_kind IN ('operator', 'person', 'key')),
    actor_id uuid NOT NULL,
    subject_kind text NOT NULL CHECK (subject_kind IN ('device_id', 'user_id')),
    salt bytea,
    digest bytea,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'erased', 'confirmed')),
    events_before bigint NOT NULL DEFAULT 0,
    events_after bigint,
    held_events_before bigint NOT NULL DEFAULT 0,
    held_events_after bigint,
    found jsonb NOT NULL DEFAULT '{}',
    covered_until timestamptz,
    requested_at timestamptz NOT NULL,
    erased_at timestamptz,
    confirmed_at timestamptz,
    due_at timestamptz,
    claimed_until timestamptz
);
CREATE INDEX erasures_organization_id ON erasures (organization_id, requested_at);
CREATE INDEX erasures_due_at ON erasures (due_at) WHERE due_at IS NOT NULL;

ALTER TABLE exports ENABLE ROW LEVEL SECURITY;
ALTER TABLE exports FORCE ROW LEVEL SECURITY;
ALTER TABLE export_files ENABLE ROW LEVEL SECURITY;
ALTER TABLE export_files FORCE ROW LEVEL SECURITY;
ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasures FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON exports TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
-- The platform, too, writes a tenant's files only inside that tenant's transaction.
CREATE POLICY tenant_isolation ON export_files TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON erasures TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY platform ON exports TO tenancy_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON erasures TO tenancy_platform USING (true) WITH CHECK (true);
-- Asked once a statement: what is deleted is the transaction's own organization's.
CREATE POLICY only_ending ON exports AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON export_files AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON erasures AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));

-- A tenant asks, and reads what became of it; progress is the platform's alone.
GRANT SELECT ON exports, export_files, erasures TO tenancy_functions;
GRANT INSERT (id, organization_id, actor_kind, actor_id, requested_at, due_at) ON exports TO tenancy_functions;
GRANT INSERT (id, organization_id, actor_kind, actor_id, subject_kind, salt, digest, requested_at, due_at) ON erasures
    TO tenancy_functions;
GRANT SELECT, UPDATE, DELETE ON exports, erasures TO tenancy_platform;
GRANT SELECT, INSERT, DELETE ON export_files TO tenancy_platform;

-- A tenant's request records what it changes in its own transaction: its own organization's log (the policies say so),
-- and unsealed, because sequence and seal are not granted.
GRANT INSERT (
    id, organization_id, occurred_at, actor_kind, actor_id, action, target, outcome, code, count, request_id,
    personal_digest
) ON audit_log TO tenancy_functions;
GRANT INSERT ON audit_people TO tenancy_functions;

-- No values in pg_statistic, as in 0013.
ALTER TABLE exports
    ALTER COLUMN position SET STATISTICS 0;
ALTER TABLE export_files
    ALTER COLUMN name SET STATISTICS 0, ALTER COLUMN section SET STATISTICS 0,
    ALTER COLUMN sha256 SET STATISTICS 0;
ALTER TABLE erasures
    ALTER COLUMN salt SET STATISTICS 0, ALTER COLUMN digest SET STATISTICS 0, ALTER COLUMN found SET STATISTICS 0;
