"""Placeholders of ids count as absent, so that many devices do not become one."""

import json

import pytest

from tenancy.rules.events.placeholders import is_placeholder
from tests.unit.segment_calls import fault, parse, raw

PLACEHOLDERS = [
    "",
    " ",
    "\t\n",
    "\u00a0\u3000",
    "\u200b",
    "0",
    "0000000000000000",
    "00000000-0000-0000-0000-000000000000",
    "{00000000-0000-0000-0000-000000000000}",
    "00:00:00:00:00:00",
    "-",
    "{}",
    "unknown",
    "UNKNOWN",
    " Unknown ",
    '"unknown"',
    "null",
    "NULL",
    "(null)",
    "<null>",
    "nil",
    "<nil>",
    "None",
    "undefined",
    "NaN",
    "n/a",
    "[object Object]",
    "02:00:00:00:00:00",
    "9774D56D682E549C",
]
IDS = [
    "1",
    "10",
    "0a",
    "a0",
    "user-0",
    "unknown-1",
    "nullable",
    "none@example.com",
    "Nils",
    "000-001",
    "é",
    "数",
    "f",
    "\ufffd",
]


@pytest.mark.parametrize("text", PLACEHOLDERS, ids=ascii)
def test_placeholder_is_recognized(text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize("text", IDS, ids=ascii)
def test_id_is_no_placeholder(text: str) -> None:
    assert not is_placeholder(text)


@pytest.mark.parametrize("text", PLACEHOLDERS, ids=ascii)
def test_placeholder_counts_as_absent_at_each_candidate(text: str) -> None:
    context = {"device": {"id": text}}

    assert parse(context=context).device_id == "anonymous-1"
    assert parse(context=context, anonymousId=text).device_id == "user-42"
    assert fault(raw(context=context, anonymousId=text, userId=text)) == ("anonymousId", "missing")


def test_placeholder_stays_among_the_members_of_a_call() -> None:
    row = parse(anonymousId="unknown")

    assert json.loads(row.user_properties)["anonymousId"] == "unknown"


@pytest.mark.parametrize("text", PLACEHOLDERS, ids=ascii)
def test_placeholder_is_no_message_id(text: str) -> None:
    rows = [parse(messageId=text, event=event) for event in ("Opened", "Closed", "Opened")]

    assert rows[0].identity == rows[2].identity != rows[1].identity


def test_number_of_a_message_is_its_id() -> None:
    assert parse(messageId=17).event_id == "17"
