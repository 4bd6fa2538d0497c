-- An event's identity is the sort key; of its copies the first received one counts (decision 6): the version falls
-- as received_at rises, in microseconds, so that a copy sent again within the same second changes nothing either.
-- First is what the receiving hosts' clocks say; of two copies of the same microsecond the last written one counts.
-- created_at is when the row was written: the roll-up finds by it what is new.
CREATE TABLE IF NOT EXISTS events (
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
    INDEX created_at_minmax created_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(event_timestamp)
PRIMARY KEY (organization_id, event_timestamp, device_id)
ORDER BY (organization_id, event_timestamp, device_id, event_id)
SETTINGS non_replicated_deduplication_window = 1000
