ALTER TABLE held_events ADD COLUMN IF NOT EXISTS bytes UInt64 ALIAS byteSize(
    event_id, event_type, event_name, device_id, session_id, platform, properties, user_properties
)
