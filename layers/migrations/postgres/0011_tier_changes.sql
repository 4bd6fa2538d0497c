-- Which tier an organization had, and until when: a downgrade's shorter retention holds 30 days later.
CREATE TABLE tier_changes (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    from_tier text NOT NULL CHECK (from_tier IN ('starter', 'growth', 'enterprise')),
    to_tier text NOT NULL CHECK (to_tier IN ('starter', 'growth', 'enterprise')),
    changed_at timestamptz NOT NULL
);
CREATE INDEX tier_changes_organization_id_changed_at ON tier_changes (organization_id, changed_at DESC);

-- One row for each month whose clean-up of what retention no longer keeps has finished.
CREATE TABLE clean_ups (
    month date PRIMARY KEY,
    finished_at timestamptz NOT NULL
);

ALTER TABLE tier_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE tier_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON tier_changes TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY platform ON tier_changes TO tenancy_platform USING (true) WITH CHECK (true);

GRANT SELECT ON tier_changes TO tenancy_functions;
GRANT SELECT, INSERT ON tier_changes TO tenancy_platform;
GRANT SELECT, INSERT ON clean_ups TO tenancy_platform;

-- Daily statistics get the bytes of their events: the next roll-up counts everything once.
DELETE FROM roll_ups;
