-- Written by the roll-up from FINAL rows, a whole day of an organization at a time; a day's rows of the newest run
-- are the ones that count, so that a group which is gone does not linger.
CREATE TABLE IF NOT EXISTS daily_statistics (
    organization_id UUID,
    event_date Date,
    event_type LowCardinality(String),
    event_name String,
    platform LowCardinality(String),
    currency LowCardinality(String),
    events UInt64,
    revenue Decimal(38, 6),
    devices AggregateFunction(uniq, String),
    run DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(run)
PARTITION BY toYYYYMM(event_date)
ORDER BY (organization_id, event_date, event_type, event_name, platform, currency)
SETTINGS non_replicated_deduplication_window = 1000
