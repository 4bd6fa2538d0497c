-- A roll-up handles only the organizations that may have changed since the one before. Beside their rows in ClickHouse
-- it knows them by active_at: when the sweep last stored more requests, or a roll-up found held events. NULL is long
-- ago. An organization without a row counts as changed.
ALTER TABLE measurements ADD COLUMN active_at timestamptz;

-- recent_from is the first hour that a roll-up did not settle, and counters_settled_at when it had settled all counters.
-- Both are NULL for a roll-up of the release before. The run after one without a settlement handles all organizations.
ALTER TABLE roll_ups ADD COLUMN recent_from timestamptz, ADD COLUMN counters_settled_at timestamptz;
GRANT UPDATE (counters_settled_at) ON roll_ups TO tenancy_platform;

-- Finds the organizations of erasures that ran since a roll-up.
CREATE INDEX erasures_claimed_until ON erasures (claimed_until);
