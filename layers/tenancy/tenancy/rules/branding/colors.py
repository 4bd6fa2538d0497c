"""Colors of a branding, and their contrast with white and black."""

import re
from dataclasses import dataclass
from math import floor
from typing import Final

COLOR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
COLOR_TEXT: Final = "Expected a color as #RRGGBB, such as #1d4ed8."
WHITE: Final = "#ffffff"
BLACK: Final = "#000000"
LINEAR_UP_TO: Final = 0.04045  # of sRGB (IEC 61966-2-1)
MIN_CONTRAST: Final = 4.5  # of text (WCAG 2.2, 1.4.3)
MIN_MARK_CONTRAST: Final = 3.0  # of edges, icons and other marks (WCAG 2.2, 1.4.11)


def parse_color(text: str) -> str:
    """Return *text*, a color as #RRGGBB, in lower case.

    Raises:
        ValueError: it is no such color.
    """
    if COLOR.fullmatch(text) is None:
        raise ValueError(COLOR_TEXT)
    return text.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """The contrast of a color with white and with black, from 1 to 21. Each is rounded down to two decimals.

    *text_color* is the one of both that is easier to read on the color. Its contrast is at least `MIN_CONTRAST`.
    """

    white: float
    black: float
    text_color: str

    @property
    def warning(self) -> str | None:
        """A sentence if marks in the color are hard to see on white, as mails and most pages have it."""
        if self.white >= MIN_MARK_CONTRAST:
            return None
        return (
            f"Low contrast with white: {self.white:.2f}:1. "
            f"Edges, icons and other marks need {MIN_MARK_CONTRAST:.0f}:1 (WCAG 2.2, 1.4.11)."
        )


def contrast_of(color: str) -> Contrast:
    """Return the contrast of *color*, a stored color."""
    luminance = relative_luminance(color)
    white, black = 1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05
    return Contrast(white=_round_down(white), black=_round_down(black), text_color=WHITE if white > black else BLACK)


def relative_luminance(color: str) -> float:
    """Return the relative luminance of *color*, from 0 for black to 1 for white (WCAG 2.2, Terms)."""
    red, green, blue = (_linear(int(color[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= LINEAR_UP_TO else ((share + 0.055) / 1.055) ** 2.4


def _round_down(ratio: float) -> float:
    return floor(ratio * 100 + 1e-9) / 100  # 21 may be computed as 20.999…
