-- Accepted events that do not count, for a reason: stored apart, in neither statistics nor bill.
CREATE TABLE IF NOT EXISTS held_events (
    organization_id UUID,
    event_id String,
    event_type LowCardinality(String),
    event_name String,
    device_id String,
    session_id String,
    platform LowCardinality(String),
    event_timestamp DateTime64(3, 'UTC'),
    properties String,
    user_properties String,
    revenue Decimal(18, 6) DEFAULT 0,
    currency LowCardinality(String) DEFAULT 'USD',
    received_at DateTime64(6, 'UTC'),
    created_at DateTime('UTC') DEFAULT now(),
    version UInt64 DEFAULT 18446744073709551615 - toUInt64(toUnixTimestamp64Micro(received_at)),
    reason LowCardinality(String)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(received_at)
ORDER BY (organization_id, event_timestamp, device_id, event_id)
SETTINGS non_replicated_deduplication_window = 1000
