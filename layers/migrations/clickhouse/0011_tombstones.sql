-- Organizations whose gate is closed: load drops what is still on its way for them, the roll-up counts them no more.
-- Never deleted from; no tenant reads it.
CREATE TABLE IF NOT EXISTS tombstones (
    organization_id UUID,
    closed_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
PRIMARY KEY (organization_id, closed_at)
ORDER BY (organization_id, closed_at)
