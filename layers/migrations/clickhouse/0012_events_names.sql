-- Names of an event's device (besides device_id) and user, which ingest writes (events/names.py). Of rows that came
-- before: what ClickHouse reads in them.
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS device_names Array(String) DEFAULT arrayDistinct(arrayFilter(
        name -> name != '',
        arrayMap(
            member -> JSONExtractString(member.2),
            arrayFilter(
                member -> member.1 IN ('anonymousId', 'device_id', 'previousId'),
                arrayConcat(JSONExtractKeysAndValuesRaw(user_properties), JSONExtractKeysAndValuesRaw(properties))
            )
        )
    )) AFTER received_at,
    ADD COLUMN IF NOT EXISTS user_names Array(String) DEFAULT arrayDistinct(arrayFilter(
        name -> name != '',
        arrayMap(
            member -> JSONExtractString(member.2),
            arrayFilter(
                member -> member.1 IN ('userId', 'user_id', 'previousId'),
                arrayConcat(JSONExtractKeysAndValuesRaw(user_properties), JSONExtractKeysAndValuesRaw(properties))
            )
        )
    )) AFTER device_names
