CREATE TABLE tenant_usage (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES organizations (id),
    metric_date date NOT NULL,
    events_count bigint NOT NULL DEFAULT 0,
    api_requests_count bigint NOT NULL DEFAULT 0,
    storage_bytes bigint NOT NULL DEFAULT 0,
    ml_predictions_count bigint NOT NULL DEFAULT 0,
    unique_users_count bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenant_usage_organization_id_metric_date_key UNIQUE (organization_id, metric_date)
);

-- Up to when an organization's events are counted in tenant_usage and in ClickHouse's daily statistics: the start of
-- the last finished roll-up that had something of it to count. Only the roll-up writes it.
CREATE TABLE settlements (
    organization_id uuid PRIMARY KEY REFERENCES organizations (id),
    rolled_up_at timestamptz NOT NULL
);

-- One row a finished roll-up; it counts the rows that were written since the run before it started.
CREATE TABLE roll_ups (
    started_at timestamptz PRIMARY KEY,
    finished_at timestamptz NOT NULL
);

ALTER TABLE tenant_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_usage FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON tenant_usage TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY platform ON tenant_usage TO tenancy_platform USING (true) WITH CHECK (true);

ALTER TABLE settlements ENABLE ROW LEVEL SECURITY;
ALTER TABLE settlements FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON settlements TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY platform ON settlements TO tenancy_platform USING (true) WITH CHECK (true);

GRANT SELECT ON tenant_usage, settlements TO tenancy_functions;
GRANT SELECT, INSERT, UPDATE ON settlements TO tenancy_platform;
GRANT SELECT, INSERT, UPDATE ON tenant_usage TO tenancy_platform;
GRANT SELECT, INSERT ON roll_ups TO tenancy_platform;
