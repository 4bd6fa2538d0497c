-- The hours whose events may still have been in the queue when the roll-up counted: the first of them, each hour with
-- counted events, and beside it the numbers of events and of held events. All of them are in tenant_usage or
-- held_events as well. An admission without Redis adds what its process took of these hours and the roll-up did not
-- count.
--
-- All are null until the first roll-up of this release. A roll-up of the release before leaves them as they are. The
-- admission then counts some events twice, at most those that its process took, until the next roll-up.
ALTER TABLE measurements
    ADD COLUMN recent_from timestamptz,
    ADD COLUMN recent_hours timestamptz[],
    ADD COLUMN recent_events bigint[],
    ADD COLUMN recent_held_events bigint[];
