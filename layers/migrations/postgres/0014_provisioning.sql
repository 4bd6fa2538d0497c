-- Two organizations never answer at subdomains that look the same: organization.py's `skeleton` in SQL.
ALTER TABLE organizations
    ADD COLUMN subdomain_skeleton text NOT NULL
        GENERATED ALWAYS AS (replace(replace(translate(subdomain, '01i', 'oll'), 'rn', 'm'), 'vv', 'w')) STORED,
    ADD CONSTRAINT organizations_subdomain_skeleton_key UNIQUE (subdomain_skeleton);

-- Requests to provision that carry an Idempotency-Key: whoever claims one chooses the organization's id, and whoever
-- claims it after a death goes on with that id. The answer holds keys: KMS has encrypted it, and it goes after a day.
-- The body held a password: its hash is argon2id's.
CREATE TABLE provisioning_requests (
    credential_id uuid NOT NULL,
    key_digest bytea NOT NULL CHECK (length(key_digest) = 32),
    organization_id uuid NOT NULL, -- of one that may not be there yet
    request_hash text NOT NULL,
    claimed_until timestamptz NOT NULL,
    answer bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (credential_id, key_digest)
);
CREATE INDEX provisioning_requests_organization_id ON provisioning_requests (organization_id);
CREATE INDEX provisioning_requests_created_at ON provisioning_requests (created_at);

ALTER TABLE provisioning_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE provisioning_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON provisioning_requests TO tenancy_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON provisioning_requests TO tenancy_platform;

-- Until when whoever took an effect has it alone: due_at is left as it was, and after a failure says when it is tried
-- again.
ALTER TABLE outbox ADD COLUMN claimed_until timestamptz;

-- No values in pg_statistic, as in 0013.
ALTER TABLE organizations
    ALTER COLUMN subdomain_skeleton SET STATISTICS 0;
ALTER TABLE provisioning_requests
    ALTER COLUMN key_digest SET STATISTICS 0, ALTER COLUMN request_hash SET STATISTICS 0,
    ALTER COLUMN answer SET STATISTICS 0;
