"""Names are one visible line in any script, composed, and bounded before they are composed."""

import sys
import unicodedata
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.texts import (
    ALLOWED_FORMATS,
    MAX_EXPANSION,
    NAME_MAX_CHARACTERS,
    SPACES,
    is_cheap,
    parse_bounded,
    parse_name,
)
from tests.members import for_each

# PropList.txt of Unicode 15.1, property Bidi_Control.
BIDI_CONTROLS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


def flag(name: str) -> str:
    return "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in name) + "\U000e007f"


NAMES = {
    "Latin with marks": "\u00c5ngstr\u00f6m & S\u00f8ns \u201eGmbH\u201c",
    "Vietnamese": "Ph\u1edf H\u00e0 N\u1ed9i",
    "Chinese with an ideographic space": "\u682a\u5f0f\u4f1a\u793e\u3000\u660e\u6cbb",
    "Japanese with a variation selector": "\u845b\U000e0100\u98fe",
    "Persian with a non-joiner": "\u0646\u0627\u0645\u0647\u200c\u0647\u0627\u06cc \u0645\u0627",
    "Sinhala with a joiner": "\u0dc1\u0dca\u200d\u0dbb\u0dd3 \u0dbd\u0d82\u0d9a\u0dcf",
    "Hindi with a joiner": "\u0915\u094d\u200d\u0937",
    "Thai": "\u0e1a\u0e23\u0e34\u0e29\u0e31\u0e17",
    "Hebrew": "\u05d7\u05d1\u05e8\u05d4 \u05d1\u05e2\u05f4\u05de",
    "Mongolian": "\u182e\u1823\u1829\u182d\u1823\u182f\u180b",
    "French with narrow and no-break spaces": "Caf\u00e9\u00a0: oui\u202f!",
    "a family of joined emoji": "Team \U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "an emoji with a tone and a selector": "\U0001f44d\U0001f3fd \u2764\ufe0f 1\ufe0f\u20e3",
    "a flag of tags": f"Distillery {SCOTLAND}",
    "flags of tags": f"Six Nations {flag('gbeng')}{flag('gbsct')}{flag('gbwls')}",
    "a flag alone": flag("gbeng"),
    "a black flag": "\U0001f3f4 Pirates",
    "an Arabic number sign": "\u06dd",
    "symbols": "\u20ac\u2122\u221e",
    "Arabic with a number sign": "\u0600\u0661\u0662",
    "hieroglyphs": "\U00013000\U00013430\U00013001",
    "one letter": "\u5b57",
}
REFUSED = {
    "nothing": "",
    "spaces": " \u00a0\u3000",
    "joiners": "\u200d\u200c",
    "marks": "\u0301\u034f\ufe0f",
    "Hangul fillers": "\u3164\u115f\u1160\uffa0",
    "Braille blank": "\u2800",
    "joiners and blanks between spaces": "\u200d \u2800 \u200c",
    "a line break": "Acme\nBcc: all@globex.example",
    "a line break at the end": "Acme\n",
    "a next line": "Acme\u0085",
    "a line separator": "Acme\u2028Inc",
    "a paragraph separator at the start": "\u2029Acme",
    "a tab": "Acme\tInc",
    "NUL": "Acme\0",
    "an isolate": "Acme \u2066cod.exe\u2069",
    "an override": "Acme \u202eexe.cod",
    "a zero width space": "Ac\u200bme",
    "a word joiner": "Ac\u2060me",
    "a byte order mark": "\ufeffAcme",
    "a soft hyphen": "Ac\u00adme",
    "a vowel separator": "Ac\u180eme",
    "a private-use character": "Acme\ue000",
    "a supplementary private-use character": "Acme\U000f0000",
    "an unassigned character": "Acme\u0378",
    "a noncharacter": "Acme\ufdd0",
    "the last noncharacter": "Acme\U0010ffff",
    "a lone surrogate": "Acme\ud800",
    "tags without a flag": "Acme\U000e0068\U000e0069\U000e007f",
    "a flag without an end": SCOTLAND[:-1],
    "hidden text behind a flag": "\U0001f3f4" + "\U000e0068" * 40 + "\U000e007f",
    "a second end of a flag": SCOTLAND + "\U000e007f",
    "a language tag": "Acme\U000e0001",
    "another flag of tags": "Distillery " + flag("usca"),
    "tags that are no flag": "Distillery " + flag("hidden"),
    "hidden text in many flags": "".join(map(flag, ("pay", "the", "bearer"))),
    "a flag in upper case": flag("GBSCT"),
    "a flag with another tag": flag("gbscta"),
    "tags between flags": SCOTLAND + "\U000e0068" + SCOTLAND,
    "a joiner of hieroglyphs": "\U00013430",
    "joiners of hieroglyphs": "\U00013437\U0001343f \U00013438",
    "a Syriac abbreviation mark": "\u070f",
    "an annotation": "Acme\ufff9",
}


@cache
def every_character() -> list[str]:
    """Return all characters.

    Each worker of a run imports this module, and one needs them.
    """
    return [chr(number) for number in range(sys.maxunicode + 1)]


@for_each("name", NAMES.values(), ids=NAMES)
def test_name_in_any_script_is_accepted(name: str) -> None:
    assert parse_name(name) == unicodedata.normalize("NFC", name)


@for_each("name", REFUSED.values(), ids=REFUSED)
def test_name_with_hidden_characters_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Expected"):
        parse_name(name)


@pytest.mark.parametrize("blank", "\u115f\u1160\u3164\uffa0\u2800\U00013441\U00013442\U0001d159", ids=ascii)
def test_name_of_one_blank_is_refused(blank: str) -> None:
    assert not _is_accepted(blank)
    assert not _is_accepted(f"{blank} \U00013430{blank}")
    assert _is_accepted(f"{blank}a")


def test_format_characters_that_arrange_make_no_name() -> None:
    formats = [chr(number) for number in range(0x13430, 0x13440)]

    assert [each for each in formats if _is_accepted(each)] == []
    assert [each for each in formats if not _is_accepted(f"\U00013000{each}\U00013001")] == []


def test_every_letter_mark_and_space_is_accepted() -> None:
    wanted = [each for each in every_character() if unicodedata.category(each)[0] in "LMNPS" or each in SPACES]

    refused = [hex(ord(each)) for each in wanted if not _is_accepted(f"a{each}b")]

    assert refused == []


def is_skipped(character: str) -> bool:
    """Tell whether *character* is not tested.

    In planes without an assigned character one in 64 is tested.
    """
    plane, place = divmod(ord(character), 0x10000)
    return (4 <= plane <= 13 or plane >= 15) and 0 < place < 0xFFFE and place % 64 != 0


def test_every_other_character_is_refused() -> None:
    others = [
        each
        for each in every_character()
        if unicodedata.category(each)[0] == "C" and each not in ALLOWED_FORMATS and not is_skipped(each)
    ]
    others += "\u2028\u2029"

    assert set(BIDI_CONTROLS) <= set(others)
    assert [hex(ord(each)) for each in others if _is_accepted(f"a{each}b")] == []


def test_every_space_of_unicode_is_known() -> None:
    assert set(SPACES) == {each for each in every_character() if unicodedata.category(each) == "Zs"}


def test_outer_spaces_are_removed() -> None:
    assert parse_name("\u3000 Acme\u00a0") == "Acme"


def test_length_counts_composed_characters() -> None:
    longest = "\u1f82" * NAME_MAX_CHARACTERS

    assert parse_name(unicodedata.normalize("NFD", longest)) == longest
    for name in (f"{longest}a", "a" * 256, "a\u0301" * 256, "\u0344" * 128):
        with pytest.raises(ValueError, match="255"):
            parse_name(name)


def test_no_character_composes_from_more_than_the_bound() -> None:
    assert max(len(unicodedata.normalize("NFD", each)) for each in every_character()) == MAX_EXPANSION


@given(st.text(max_size=20))
def test_accepted_name_stays_as_it_is(text: str) -> None:
    if _is_accepted(text):
        name = parse_name(text)

        assert parse_name(name) == name
        assert parse_name(unicodedata.normalize("NFD", name)) == name


def test_thirty_marks_in_a_row_are_cheap_to_compose() -> None:
    assert is_cheap("a" + "\u0301" * 30 + "b" + "\u0315\u0300" * 15)
    assert not is_cheap("a" + "\u0315\u0300" * 15 + "\u0301")


def test_bounded_text_keeps_its_spaces_and_controls() -> None:
    assert parse_bounded(" e\u0301\n", max_characters=3) == " \u00e9\n"


def _is_accepted(text: str) -> bool:
    try:
        parse_name(text)
    except ValueError:
        return False
    return True
