"""Colors and their contrast, compared with published ratios and with the definition in exact numbers."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.branding.branding import DEFAULT_COLORS
from tenancy.rules.branding.colors import BLACK, MIN_CONTRAST, MIN_MARK_CONTRAST, WHITE, contrast_of, parse_color

# Ratios with white that WCAG tools and articles state.
KNOWN = {
    "#ffffff": 1.0,
    "#000000": 21.0,
    "#767676": 4.54,  # the lightest gray with 4.5:1
    "#777777": 4.47,
    "#ff0000": 3.99,
    "#0000ff": 8.59,
    "#008000": 5.13,
    "#ffff00": 1.07,
}
COLORS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def ratio_of(lighter: str, darker: str) -> Decimal:
    """Return the contrast of two colors with 50 digits (WCAG 2.2, contrast ratio)."""
    with localcontext() as context:
        context.prec = 50
        first, second = sorted((luminance(lighter), luminance(darker)), reverse=True)
        return (first + Decimal("0.05")) / (second + Decimal("0.05"))


def luminance(color: str) -> Decimal:
    shares = [Decimal(int(color[start : start + 2], 16)) / 255 for start in (1, 3, 5)]
    linear = [
        share / Decimal("12.92")
        if share <= Decimal("0.04045")
        else ((share + Decimal("0.055")) / Decimal("1.055")) ** Decimal("2.4")
        for share in shares
    ]
    weights = ("0.2126", "0.7152", "0.0722")
    return sum((Decimal(weight) * value for weight, value in zip(weights, linear, strict=True)), Decimal(0))


@pytest.mark.parametrize("color", KNOWN)
def test_contrast_with_white_is_the_published_one(color: str) -> None:
    assert contrast_of(color).white == KNOWN[color]


@given(color=COLORS)
def test_contrast_is_that_of_the_definition_rounded_down(color: str) -> None:
    contrast = contrast_of(color)

    for shown, other in ((contrast.white, WHITE), (contrast.black, BLACK)):
        exact = ratio_of(color, other)
        assert 0 <= exact - Decimal(str(shown)) < Decimal("0.01") or abs(exact - Decimal(str(shown))) < Decimal("1e-9")


@given(color=COLORS)
def test_one_of_white_and_black_is_always_readable(color: str) -> None:
    contrast = contrast_of(color)
    best = max(contrast.white, contrast.black)

    assert best >= MIN_CONTRAST
    assert contrast.text_color == (WHITE if contrast.white > contrast.black else BLACK)


@given(color=COLORS)
def test_warning_is_about_marks_on_white(color: str) -> None:
    contrast = contrast_of(color)

    assert (contrast.warning is None) == (contrast.white >= MIN_MARK_CONTRAST)


@pytest.mark.parametrize("color", DEFAULT_COLORS.values())
def test_colors_of_the_platform_have_no_warning(color: str) -> None:
    assert contrast_of(color).warning is None


@given(digits=st.text("0123456789abcdefABCDEF", min_size=6, max_size=6))
def test_color_is_stored_in_lower_case(digits: str) -> None:
    assert parse_color(f"#{digits}") == f"#{digits.lower()}"


@given(text=st.text(max_size=12))
def test_other_text_is_no_color(text: str) -> None:
    try:
        parsed = parse_color(text)
    except ValueError:
        return
    assert parsed == text.lower()
    assert len(parsed) == 7
    assert set(parsed[1:]) <= set("0123456789abcdef")
