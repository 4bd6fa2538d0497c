-- log_comment is ClickHouse's own setting, which needs no configuration; TenantReader sets it to its organization's id,
-- and a read-only query cannot change it. Anything else is NULL, which equals no row's organization.
CREATE ROW POLICY IF NOT EXISTS tenant_isolation ON events, held_events, daily_statistics
    USING organization_id = toUUIDOrNull(getSetting('log_comment')) TO tenancy_reader
