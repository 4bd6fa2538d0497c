"""Random events of POST /v1/events: valid, unusual and invalid ones."""

import json
from typing import Final

from hypothesis import strategies as st

from tests.unit.single_events import ACME

TEXTS: Final = st.sampled_from(["a", "device-1", "x" * 100, "x" * 101, "x" * 256, "é\u0301", "😀", 'a"b', "\\", "\n"])
BAD_TEXTS: Final[st.SearchStrategy[object]] = st.sampled_from(["", "a\0b", None, 5, 1.5, True, [], {}])
TIMES: Final = st.sampled_from(
    [
        "2026-11-20T10:00:00.123Z",
        "2026-11-20T10:00:00Z",
        "2026-11-20t10:00:00.1234567z",
        "2026-11-20 10:00:00.5+02:00",
        "2026-11-25T12:00:00.456789Z",
        "2026-12-31T23:59:60Z",
        "2026-10-25T12:00:00.456Z",
    ]
)
BAD_TIMES: Final = st.sampled_from(
    [
        "2026-11-25T12:00:00.456790Z",
        "2020-01-01T00:00:00Z",
        "2026-06-30T23:59:60Z",
        "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-11-20T10:00:00",
        "now",
        1_764_000_000,
        None,
    ]
)
AMOUNTS: Final = st.sampled_from(["49.90", "0.00", "-0", "1e3", "1E-6", "007.5", "+1", "999999999999.999999"]) | (
    st.decimals(-1_000, 1_000, places=6).map(str) | st.integers(-(10**13), 10**13) | st.floats(-1e6, 1e6, width=32)
)
BAD_AMOUNTS: Final = st.sampled_from(
    ["", " 1", "NaN", "1_0", "0.0000001", "1e999999999", "1\0", True, [], {}, "\u0661"]
)
CURRENCIES: Final = st.sampled_from(["EUR", "usd", " JPY ", None, "XXX", "", 5, "u\u017fd"])
NAMED: Final = st.sampled_from(["userId", "user_id", "anonymousId", "device_id", "previousId", "productId", "plan"])
VALUES: Final = st.sampled_from(
    ["ann", "x" * 300, "userId", "", 5, 1.50, 10**30, None, True, {"userId": "in"}, ["userId"]]
)
OBJECTS: Final = st.dictionaries(NAMED, VALUES, max_size=3).map(json.dumps) | st.sampled_from(
    [
        '{"userId":"ann","userId":"bob"}',
        r'{"user\u0049d":"ann"}',
        '{ "user_id" : -0.0 ,\n"device_id":1E5}',
        r'{"text":"\/\u00e9","userId":"ann"}',
        '{"text":"' + "x" * 5_000 + '","previousId":"ann"}',
        r'{"nul":"\u0000"}',
        "null",
        "[]",
        '"{}"',
    ]
)
ORGANIZATIONS: Final = st.sampled_from([str(ACME), str(ACME).upper(), None])


def as_json(values: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    return st.builds(lambda value, is_ascii: json.dumps(value, ensure_ascii=is_ascii), values, st.booleans())


def mostly(usual: st.SearchStrategy[object], unusual: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    return as_json(usual | usual | usual | usual | unusual)


TEXT_MEMBER: Final = mostly(TEXTS, BAD_TEXTS)
EVENTS: Final[st.SearchStrategy[bytes]] = st.fixed_dictionaries(
    {
        "event_type": TEXT_MEMBER,
        "event_name": TEXT_MEMBER,
        "device_id": TEXT_MEMBER,
        "platform": TEXT_MEMBER,
        "event_timestamp": mostly(TIMES, BAD_TIMES),
    },
    optional={
        "event_id": TEXT_MEMBER,
        "session_id": TEXT_MEMBER,
        "properties": OBJECTS,
        "user_properties": OBJECTS,
        "revenue": mostly(AMOUNTS, BAD_AMOUNTS),
        "currency": as_json(CURRENCIES),
        "organization_id": as_json(ORGANIZATIONS),
        "sentAt": as_json(TIMES),
        "context": OBJECTS,
        "revenu": st.just("1"),
    },
).map(lambda members: ("{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}").encode())
