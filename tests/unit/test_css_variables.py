"""The grammar of CSS variables: a parser of CSS finds one harmless value in each accepted text."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from tenancy.gateway.documents.branding import CSS_VARIABLES, CssVariables
from tenancy.rules.branding.css_variables import FONTS, LONGEST, MAX_FONTS, parse_fonts, parse_length

HARMLESS = set(string.ascii_letters + string.digits + " -.,#")
NEAR_CSS = st.text(st.sampled_from("0123456789.pxremPXREM#abcdef;:{}()\"'\\/*,- \n\u200b\uff11٣!@<>&%"), max_size=20)
VALUES = st.one_of(st.text(max_size=40), NEAR_CSS, st.sampled_from(FONTS))


@given(name=st.sampled_from(CSS_VARIABLES), value=VALUES)
@example(name="--spacing", value="1px\n")
@example(name="--spacing", value="0")
@example(name="--font-family", value="Arial, serif")
def test_accepted_value_ends_nothing_and_is_stable(name: str, value: str) -> None:
    try:
        [(accepted_name, accepted)] = CssVariables.model_validate({name: value}).changes().items()
    except ValidationError:
        return

    assert accepted_name == name
    assert accepted is not None
    assert set(accepted) <= HARMLESS
    assert "url" not in accepted.lower()
    assert CssVariables.model_validate({name: accepted}).changes() == {name: accepted}


@given(whole=st.integers(0, 999), decimals=st.integers(0, 99), unit=st.sampled_from(sorted(LONGEST)))
def test_length_is_bounded(whole: int, decimals: int, unit: str) -> None:
    text = f"{whole}.{decimals:02}{unit}"

    if whole + decimals / 100 <= LONGEST[unit]:
        assert parse_length(text) == text
    else:
        with pytest.raises(ValueError, match="at most 64px or 4rem"):
            parse_length(text)


@given(fonts=st.lists(st.sampled_from(FONTS), min_size=1, max_size=MAX_FONTS))
def test_fonts_are_stored_in_one_spelling(fonts: list[str]) -> None:
    text = " ,  ".join(name.upper() for name in fonts)

    try:
        assert parse_fonts(text) == ", ".join(fonts)
    except ValueError:
        assert len(text) > 100


@pytest.mark.parametrize("text", ["", ",", "Arial,", "Arial,,serif", "'Arial'", "inherit", "Arial Black"])
def test_other_fonts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="font names"):
        parse_fonts(text)


def test_more_fonts_than_the_limit_are_refused() -> None:
    assert parse_fonts(",".join(["serif"] * MAX_FONTS))

    with pytest.raises(ValueError, match="Expected 1 to 5"):
        parse_fonts(",".join(["serif"] * (MAX_FONTS + 1)))


def test_names_are_those_of_css() -> None:
    assert all(name.startswith("--") and set(name) <= set(string.ascii_lowercase + "-") for name in CSS_VARIABLES)
