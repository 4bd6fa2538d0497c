-- What clients report of their own use: one row a report, written before the answer (decision 9). What that answer
-- said stands in …_after, for the same Idempotency-Key again.
CREATE TABLE usage_ledger (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    metric text NOT NULL CHECK (metric IN ('ml_predictions', 'storage_bytes')),
    metric_date date NOT NULL,
    amount bigint NOT NULL,
    used_after bigint NOT NULL,
    limit_after bigint,
    reserved_after bigint NOT NULL,
    idempotency_key text CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT usage_ledger_organization_id_idempotency_key_key UNIQUE (organization_id, idempotency_key)
);
CREATE INDEX usage_ledger_organization_id_metric_date ON usage_ledger (organization_id, metric, metric_date);
CREATE INDEX usage_ledger_metric_date ON usage_ledger (metric_date);

-- The sum of the ledger per metric and period (the first of the month; 1970-01-01 for what counts in total). Its row
-- is locked by whoever reports or reserves, so that a quota is never passed.
CREATE TABLE usage_totals (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    metric text NOT NULL CHECK (metric IN ('ml_predictions', 'storage_bytes')),
    period date NOT NULL,
    used bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, metric, period)
);

-- Room that is set aside until it is committed, released, or expires; an expired one counts no more.
CREATE TABLE usage_reservations (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    metric text NOT NULL CHECK (metric IN ('ml_predictions', 'storage_bytes')),
    amount bigint NOT NULL CHECK (amount > 0),
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'committed', 'released')),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT usage_reservations_organization_id_id_key UNIQUE (organization_id, id)
);
CREATE INDEX usage_reservations_open ON usage_reservations (organization_id, metric, expires_at) WHERE status = 'open';
CREATE INDEX usage_reservations_expires_at ON usage_reservations (expires_at);

-- What the roll-up found in ClickHouse, all events together: their bytes, and those held for want of quota this month.
CREATE TABLE measurements (
    organization_id uuid PRIMARY KEY REFERENCES organizations (id),
    storage_bytes bigint NOT NULL,
    held_events bigint NOT NULL,
    measured_at timestamptz NOT NULL
);

ALTER TABLE usage_ledger ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_ledger FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_totals ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_totals FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_reservations ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_reservations FORCE ROW LEVEL SECURITY;
ALTER TABLE measurements ENABLE ROW LEVEL SECURITY;
ALTER TABLE measurements FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON usage_ledger TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON usage_totals TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON usage_reservations TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON measurements TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY platform ON usage_ledger TO tenancy_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON usage_totals TO tenancy_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON usage_reservations TO tenancy_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON measurements TO tenancy_platform USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON usage_ledger TO tenancy_functions;
GRANT SELECT, INSERT ON usage_totals, usage_reservations TO tenancy_functions;
GRANT UPDATE (used) ON usage_totals TO tenancy_functions;
GRANT UPDATE (status) ON usage_reservations TO tenancy_functions;
GRANT SELECT ON measurements TO tenancy_functions;
GRANT SELECT ON usage_ledger, usage_totals TO tenancy_platform;
GRANT SELECT, DELETE ON usage_reservations TO tenancy_platform;
GRANT SELECT, INSERT, UPDATE ON measurements TO tenancy_platform;
