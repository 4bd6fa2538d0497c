-- POST /v1/events/trace finds events by their id alone. Without an index it would read all ids of 7 days. Parts that are
-- written before have no index until they are merged (docs/decisions/0051-reading-events.md).
ALTER TABLE events ADD INDEX IF NOT EXISTS event_id_bloom event_id TYPE bloom_filter(0.001) GRANULARITY 1
