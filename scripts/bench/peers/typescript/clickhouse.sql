CREATE TABLE events (
    organization_id String,
    event_id String,
    event_type String,
    event_name String,
    device_id String,
    session_id String,
    platform String,
    event_timestamp DateTime64(3, 'UTC'),
    properties String,
    user_properties String,
    revenue Decimal(18, 2),
    currency String,
    created_at DateTime DEFAULT now()
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (organization_id, event_timestamp, device_id, event_id)
