-- Before the reader's own, because a table with one policy shows nothing to whom none is for: load and the roll-up
-- go on seeing all.
CREATE ROW POLICY IF NOT EXISTS everyone_else ON events, held_events, daily_statistics
    USING 1 TO ALL EXCEPT tenancy_reader
