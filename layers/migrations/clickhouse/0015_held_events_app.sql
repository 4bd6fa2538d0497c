-- As in events.
ALTER TABLE held_events ADD COLUMN IF NOT EXISTS app_id UUID AFTER user_names
