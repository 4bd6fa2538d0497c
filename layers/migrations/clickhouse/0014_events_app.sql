-- The app of an event: that of the write key that sent the copy which counts (docs/decisions/0049-apps-count.md). It is
-- nil for events of other keys, and for rows that functions of the release before insert.
ALTER TABLE events ADD COLUMN IF NOT EXISTS app_id UUID AFTER user_names
