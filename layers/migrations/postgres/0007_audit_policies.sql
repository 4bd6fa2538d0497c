ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_people ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_people FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_heads FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_checkpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_checkpoints FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_refusals ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_refusals FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON audit_log TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON audit_people TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON audit_heads TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON audit_checkpoints TO tenancy_functions
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));

-- The platform writes a record unsealed, seals it once, after the head of its log, and deletes it only where a checkpoint stands for it. No
-- checkpoint can stand for what is younger than the shortest retention (tiers.py).
CREATE POLICY platform_read ON audit_log FOR SELECT TO tenancy_platform USING (true);
CREATE POLICY platform_write ON audit_log FOR INSERT TO tenancy_platform WITH CHECK (sequence IS NULL);
CREATE POLICY platform_seal ON audit_log FOR UPDATE TO tenancy_platform
    USING (sequence IS NULL) WITH CHECK (
        sequence > coalesce(
            (SELECT h.sequence FROM audit_heads AS h WHERE h.organization_id = audit_log.organization_id), 0
        )
    );
CREATE POLICY platform_cut ON audit_log FOR DELETE TO tenancy_platform USING (
    EXISTS (
        SELECT FROM audit_checkpoints AS c
        WHERE c.organization_id = audit_log.organization_id AND c.sequence >= audit_log.sequence
          AND c.cut_before > audit_log.occurred_at
    )
);
CREATE POLICY platform ON audit_people TO tenancy_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON audit_heads TO tenancy_platform USING (true) WITH CHECK (true);
CREATE POLICY platform_read ON audit_checkpoints FOR SELECT TO tenancy_platform USING (true);
CREATE POLICY platform_write ON audit_checkpoints FOR INSERT TO tenancy_platform
    WITH CHECK (cut_before <= now() - interval '365 days');
CREATE POLICY platform ON audit_refusals TO tenancy_platform USING (true) WITH CHECK (true);

GRANT SELECT ON audit_log, audit_people, audit_heads, audit_checkpoints TO tenancy_functions;
GRANT SELECT, INSERT, DELETE ON audit_log TO tenancy_platform;
GRANT UPDATE (sequence, seal) ON audit_log TO tenancy_platform;
GRANT SELECT, INSERT ON audit_people TO tenancy_platform;
GRANT SELECT, INSERT, DELETE ON audit_refusals TO tenancy_platform;
GRANT UPDATE (counted_at, source_address) ON audit_refusals TO tenancy_platform;
GRANT SELECT, INSERT, UPDATE ON audit_heads TO tenancy_platform;
GRANT SELECT, INSERT ON audit_checkpoints TO tenancy_platform;
