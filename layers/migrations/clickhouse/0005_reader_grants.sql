GRANT SELECT ON events, SELECT ON held_events, SELECT ON daily_statistics TO tenancy_reader
