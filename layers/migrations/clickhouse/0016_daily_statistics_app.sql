-- Counts are also by app. The sort key has it, because rows with the same key replace each other.
ALTER TABLE daily_statistics
    ADD COLUMN IF NOT EXISTS app_id UUID AFTER currency,
    MODIFY ORDER BY (organization_id, event_date, event_type, event_name, platform, currency, app_id)
