-- The time of a member's newest log-in, by its password, single sign-on or an accepted invitation. Sessions cannot say
-- it: they are deleted when they expire. It is null until the first log-in after this migration, and of a removed member.
ALTER TABLE users ADD COLUMN IF NOT EXISTS last_signed_in_at timestamptz;
GRANT UPDATE (last_signed_in_at) ON users TO tenancy_platform;
