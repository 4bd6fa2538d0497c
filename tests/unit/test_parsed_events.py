"""An event gives the documented row, also an unusual one, alone or in a batch."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import uuid4

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import FieldError
from tenancy.rules.events.batch import Batch
from tenancy.rules.events.currencies import CURRENCIES
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.event_errors import explain_invalid_event
from tenancy.rules.events.money import find_plain_amount, format_money, parse_amount, round_money
from tenancy.rules.events.names import find_names
from tenancy.rules.events.placeholders import PLACEHOLDER, is_placeholder
from tenancy.rules.events.row import NOT_VALID, EventRow, InvalidEventError, format_event_time, format_row_time
from tenancy.rules.json_members import within_body
from tenancy.rules.permissions import EVENTS_WRITE
from tenancy.rules.tenant import CallerKind, Tenant
from tenancy.use_cases.ingest.parse_batch import parse_event_batch
from tenancy.use_cases.ingest.parsed_batch import NoValidEventError, first_of_each
from tests.unit.random_events import EVENTS, OBJECTS
from tests.unit.single_events import ACME, NOW, RECEPTION

TENANT = Tenant(
    organization_id=ACME,
    subdomain="acme",
    scopes=frozenset({EVENTS_WRITE}),
    credential_id=uuid4(),
    kind=CallerKind.KEY,
)
DEVICE_NAMES, USER_NAMES = {"anonymousId", "device_id", "previousId"}, {"userId", "user_id", "previousId"}
SECOND_60 = re.compile(r":60(?=[.Z+-])")
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def parsed(raw: bytes) -> EventRow | tuple[FieldError, ...]:
    try:
        return parse_event(raw, RECEPTION)
    except InvalidEventError as error:
        return error.errors


def expected_names(names: set[str], *objects: str) -> tuple[str, ...]:
    pairs = [
        pair
        for text in objects
        for pair in json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str).decode(text)
    ]
    return tuple(
        dict.fromkeys(value[:255] for name, value in pairs if name in names and isinstance(value, str) and value)
    )


def expected_row(raw: bytes) -> dict[str, object]:
    """Return the columns of a valid event, field by field, with the standard library alone."""
    event = json.loads(raw, parse_float=Decimal, parse_int=Decimal)
    texts = {name: bytes(text).decode() for name, text in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items()}
    moment = datetime.fromisoformat(SECOND_60.sub(":59", event["event_timestamp"].upper()))
    objects = [
        texts.get(name, "{}").replace("null", "{}", texts.get(name) == "null")
        for name in ("properties", "user_properties")
    ]
    amount = Decimal(event.get("revenue") or 0)
    return {
        "event_type": event["event_type"],
        "event_name": event["event_name"],
        "device_id": event["device_id"],
        "platform": event["platform"],
        "session_id": event.get("session_id") or "",
        "event_timestamp": moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "properties": objects[0],
        "user_properties": objects[1],
        "revenue": f"{amount.normalize():f}" if amount else "0",
        "currency": (event.get("currency") or "USD").strip().upper(),
        "device_names": expected_names(DEVICE_NAMES, *objects),
        "user_names": expected_names(USER_NAMES, *objects),
    }


@given(EVENTS)
def test_valid_event_has_the_documented_row(raw: bytes) -> None:
    row = parsed(raw)

    if isinstance(row, EventRow):
        expected = expected_row(raw)
        assert {name: getattr(row, name) for name in expected} == expected
        assert row.currency in CURRENCIES


@given(EVENTS)
def test_event_is_refused_exactly_for_the_faults_of_its_fields(raw: bytes) -> None:
    faults = explain_invalid_event(raw, RECEPTION).errors

    found = parsed(raw)

    assert isinstance(found, EventRow) if faults == NOT_VALID else found == faults


def parsed_together(raws: list[bytes]) -> dict[int, EventRow | tuple[FieldError, ...]]:
    batch = Batch([*map(msgspec.Raw, raws)], has_escapes=any(b"\\" in raw for raw in raws))
    try:
        found = parse_event_batch(TENANT, batch, now=NOW)
    except NoValidEventError as refusal:
        return {each.index: each.errors for each in refusal.rejected}
    return {**found.rows, **{each.index: each.errors for each in found.rejected}}


@given(st.lists(EVENTS, min_size=1, max_size=6))
def test_event_has_the_same_result_among_others(raws: list[bytes]) -> None:
    alone = {index: parsed(raw) for index, raw in enumerate(raws)}

    together = parsed_together(raws)

    located = {
        index: each if isinstance(each, EventRow) else tuple(within_body(each, "events", index))
        for index, each in alone.items()
    }
    assert together == located


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))))
def test_first_copy_of_each_event_counts(sent: list[tuple[str, str]]) -> None:
    whole = parse_event(
        b'{"event_type":"t","event_name":"n","device_id":"d","platform":"p","event_timestamp":"%s"}'
        % NOW.isoformat().encode(),
        RECEPTION,
    )
    rows = [msgspec.structs.replace(whole, device_id=device, event_id=name) for device, name in sent]

    first = first_of_each(rows)

    assert [row.identity for row in first] == list(dict.fromkeys(row.identity for row in rows))
    assert all(row is next(each for each in rows if each.identity == row.identity) for row in first)


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC) | OFFSETS))  # noqa: DTZ001
def test_times_have_one_format(moment: datetime) -> None:
    assert format_event_time(moment) == format_row_time(moment)


@given(st.from_regex(r"[-+]?[0-9]{0,14}(\.[0-9]{0,8})?(e[0-9])?", fullmatch=True))
def test_plain_amount_is_written_as_any_other(text: str) -> None:
    plain = find_plain_amount(text)

    if plain is not None:
        amount = parse_amount(text)
        assert amount is not None
        assert round_money(amount) == amount
        assert plain == format_money(amount)


@given(OBJECTS.filter(lambda text: text.startswith("{")))
def test_names_are_those_of_all_members(text: str) -> None:
    assert find_names(text) == (expected_names(DEVICE_NAMES, text), expected_names(USER_NAMES, text))


@given(st.text(max_size=40) | st.sampled_from(["", "0", "NULL", "ffffffffffff", "Unknown", "9774d56d682e549c", "1"]))
def test_first_character_never_hides_a_placeholder(text: str) -> None:
    assert is_placeholder(text) == (PLACEHOLDER.fullmatch(text.lower()) is not None)
