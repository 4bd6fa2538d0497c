-- What an event takes, as it is billed: the one definition, computed where it is read.
ALTER TABLE events ADD COLUMN IF NOT EXISTS bytes UInt64 ALIAS byteSize(
    event_id, event_type, event_name, device_id, session_id, platform, properties, user_properties
)
