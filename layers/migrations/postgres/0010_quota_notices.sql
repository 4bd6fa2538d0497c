-- A threshold of a quota that was reached: noted once per period (the first of the month; 1970-01-01 for what counts in
-- total), in the transaction that found it, and announced by the sweep.
CREATE TABLE quota_notices (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    metric text NOT NULL
        CHECK (metric IN ('events', 'api_requests', 'storage_bytes', 'ml_predictions', 'users', 'apps')),
    period date NOT NULL,
    percent integer NOT NULL,
    used bigint NOT NULL,
    quota bigint NOT NULL,
    noted_at timestamptz NOT NULL,
    announced_at timestamptz,
    PRIMARY KEY (organization_id, metric, period, percent, quota) -- another tier's quota is told anew
);
CREATE INDEX quota_notices_unannounced ON quota_notices (noted_at) WHERE announced_at IS NULL;

ALTER TABLE quota_notices ENABLE ROW LEVEL SECURITY;
ALTER TABLE quota_notices FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON quota_notices TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY platform ON quota_notices TO tenancy_platform USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON quota_notices TO tenancy_functions;
GRANT SELECT, INSERT ON quota_notices TO tenancy_platform;
GRANT UPDATE (announced_at) ON quota_notices TO tenancy_platform;
