-- The requests of secret keys and members among api_requests_count, which counts those of all credentials. The rest are
-- those of write keys, also in rows from before: there the quota is ten times as large.
-- A release before writes api_requests_count in the same meaning and leaves this column as it is.
ALTER TABLE tenant_usage ADD COLUMN management_requests_count bigint NOT NULL DEFAULT 0;

ALTER TABLE quota_notices DROP CONSTRAINT quota_notices_metric_check;
ALTER TABLE quota_notices ADD CONSTRAINT quota_notices_metric_check CHECK (
    metric IN ('events', 'api_requests', 'ingest_requests', 'storage_bytes', 'ml_predictions', 'users', 'apps')
);
