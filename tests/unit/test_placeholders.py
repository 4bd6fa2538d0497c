"""Placeholders of ids count as absent, so that many devices do not become one."""

import json
import re
import sys
import unicodedata

import pytest

from tenancy.rules.events.batch import parse_segment_text
from tenancy.rules.events.placeholders import is_placeholder
from tenancy.rules.texts import BLANKS, INVISIBLE, VISIBLE_FORMATS
from tests.members import for_each
from tests.unit.segment_calls import fault, parse, raw

# DerivedCoreProperties.txt of Unicode 15.1: the marks with the property Default_Ignorable_Code_Point.
IGNORABLE_MARKS = {chr(each) for each in (0x034F, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F)}
IGNORABLE_MARKS |= {chr(each) for each in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))}
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
    "\ufffd",
    "\ufffd\ufffd",
    "unknown\ufffd",
    "\u2004",
    "\u2005unknown",
    "\u1680\u202f\u205f\u0085",
    "\u001f",
    "\u3164",
    "\u2800",
    "\u180e\u200e",
    "\u00ad",
    "\u00adunknown\u00ad",
    "\ufe0f",
    "0\u200b0",
    "[object\u0020Object]\u2004",
    "0x0",
    "0X0000000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF}",
    "ffffffffffffffffffffffffffffffff",
    "ffffffffffffffff",
    "ff:ff:ff:ff:ff:ff",
    "02-00-00-00-00-00",
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
    "ffff",
    "0e5",
    "0x1",
    "a\u00adb",
    "unknown\u00adphone",
    "\u0600",
    "non\u0308",
    "\ue000",
    "\u0378",
    "\ufffda",
    "ffffffff-ffff-ffff-ffff-fffffffffffe",
]


@for_each("text", PLACEHOLDERS, ids=ascii)
def test_placeholder_is_recognized(text: str) -> None:
    assert is_placeholder(text)


@for_each("text", IDS, ids=ascii)
def test_id_is_no_placeholder(text: str) -> None:
    assert not is_placeholder(text)


@for_each("text", PLACEHOLDERS, ids=ascii)
def test_placeholder_counts_as_absent_at_each_candidate(text: str) -> None:
    context = {"device": {"id": text}}

    assert parse(context=context).device_id == "anonymous-1"
    assert parse(context=context, anonymousId=text).device_id == "user-42"
    assert fault(raw(context=context, anonymousId=text, userId=text)) == ("anonymousId", "missing")


def test_placeholder_stays_among_the_members_of_a_call() -> None:
    row = parse(anonymousId="unknown")

    assert json.loads(row.user_properties)["anonymousId"] == "unknown"


@for_each("text", PLACEHOLDERS, ids=ascii)
def test_placeholder_is_no_message_id(text: str) -> None:
    rows = [parse(messageId=text, event=event) for event in ("Opened", "Closed", "Opened")]

    assert rows[0].identity == rows[2].identity != rows[1].identity


def test_number_of_a_message_is_its_id() -> None:
    assert parse(messageId=17).event_id == "17"


def test_every_invisible_character_is_recognized() -> None:
    every_character = [chr(number) for number in range(sys.maxunicode + 1)]
    formats = {each for each in every_character if unicodedata.category(each) == "Cf"} - VISIBLE_FORMATS
    spaces = {each for each in every_character if each.isspace() or unicodedata.category(each) in {"Cc", "Zs"}}

    found = set(re.findall(f"[{INVISIBLE}]", "".join(every_character)))

    assert found == formats | spaces | BLANKS | IGNORABLE_MARKS
    for each in found:
        assert is_placeholder(each)
        assert is_placeholder(f"{each}unknown{each}")


@pytest.mark.parametrize("number", ["0", "-0", "0.0", "0e5", "0E+5", "-0.00e-5"])
def test_number_zero_is_a_placeholder(number: str) -> None:
    text = raw(context={"device": {"id": 7}}, messageId=8).replace(b'"id": 7', b'"id": ' + number.encode())

    row = parse(text.replace(b'"messageId": 8', b'"messageId": ' + number.encode()))

    assert row.device_id == "anonymous-1"
    assert row.event_id != number


def test_number_other_than_zero_is_an_id() -> None:
    assert [parse(anonymousId=number).device_id for number in (0.5, 10, -7)] == ["0.5", "10", "-7"]


@pytest.mark.parametrize("text", [r"\u0000", r"\ud83d", r"\u0000\u0000", r"unknown\u0000"])
def test_repaired_placeholder_is_recognized(text: str) -> None:
    body = b'{"type":"track","anonymousId":"%s","userId":"user-42"}' % text.encode()

    [call] = parse_segment_text(body, is_batch=False).batch

    assert parse(bytes(call)).device_id == "user-42"


def test_only_the_stored_part_of_a_long_id_decides() -> None:
    row = parse(context={"device": {"id": "0" * 255 + "1"}})

    assert row.device_id == "anonymous-1"
