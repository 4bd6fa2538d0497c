"""Draw docs/scaling.svg: the limits of the template, and the largest load second by second."""

from collections.abc import Iterator, Sequence
from html import escape
from math import log10
from typing import Final

from scripts.capacity import ROOT
from scripts.capacity.limits import CapacityLimit
from scripts.capacity.pipeline import Moment
from scripts.capacity.report import LOADS, CapacityReport

PICTURE: Final = ROOT / "docs" / "scaling.svg"
WIDTH: Final = 880
MARGIN: Final = 24
LABEL_WIDTH: Final = 270
LINE_HEIGHT: Final = 24
LIMITS_TOP: Final = 96
LEAST, MOST = 100.0, 1_000_000.0  # requests per second on the axis
PLOT_HEIGHT: Final = 170
PLOT_WIDTH: Final = WIDTH - 2 * MARGIN - 80

STYLE: Final = """
text { font-family: system-ui, sans-serif; font-size: 13px; fill: #1a1a1a }
.title { font-size: 18px; font-weight: 600 } .small { fill: #555; font-size: 12px }
.page { fill: #fff } .bar { fill: #4c78a8 } .load { stroke: #a40000; stroke-dasharray: 4 3 } .axis { stroke: #999 }
.arrived { stroke: #4c78a8 } .accepted { stroke: #14602b } .waiting { stroke: #b36b00 }
polyline { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #eee } .small { fill: #aaa } .page { fill: #161616 } .bar { fill: #7aa6d6 } .load { stroke: #ff8a80 }
.arrived { stroke: #7aa6d6 } .accepted { stroke: #7ddc96 } .waiting { stroke: #ffc266 } }
"""


def draw(report: CapacityReport) -> str:
    """Return the *report* as SVG."""
    limits, last = report.deployed, report.loads[-1]
    plot_top = LIMITS_TOP + LINE_HEIGHT * len(limits) + 90
    height = plot_top + PLOT_HEIGHT + 64
    body = [
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
        _text(MARGIN, 36, "Which limit of the template breaks first, in requests per second", "title"),
        *_loads(len(limits)),
        *_bars(limits),
        _text(MARGIN, plot_top - 42, f"{last.traffic.rate:,.0f} requests per second, simulated", "title"),
        *_plot(last.moments, plot_top),
    ]
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n'
        f"<title>Limits and a simulated load</title>\n<style>{STYLE}</style>\n{'\n'.join(body)}\n</svg>\n"
    )


def _position(rate: float) -> float:
    """Return where *rate* is on the logarithmic axis."""
    share = log10(min(max(rate, LEAST), MOST) / LEAST) / log10(MOST / LEAST)
    return MARGIN + LABEL_WIDTH + share * (WIDTH - 2 * MARGIN - LABEL_WIDTH - 60)


def _loads(count: int) -> Iterator[str]:
    bottom = LIMITS_TOP + LINE_HEIGHT * count
    for rate in LOADS:
        x = _position(rate)
        yield f'<line class="load" x1="{x:.0f}" x2="{x:.0f}" y1="{LIMITS_TOP - 12}" y2="{bottom}"/>'
        yield _text(x - 18, LIMITS_TOP - 18, f"{rate:,.0f}", "small")


def _bars(limits: Sequence[CapacityLimit]) -> Iterator[str]:
    start = _position(LEAST)
    for number, limit in enumerate(limits):
        top = LIMITS_TOP + number * LINE_HEIGHT
        width = _position(limit.rate) - start
        yield _text(MARGIN, top + 14, limit.name)
        yield f'<rect class="bar" x="{start:.0f}" y="{top + 2}" width="{width:.0f}" height="15" rx="2"/>'
        yield _text(start + width + 6, top + 14, f"{limit.rate:,.0f}", "small")


def _plot(moments: Sequence[Moment], top: float) -> Iterator[str]:
    """Yield the lines of arrived and accepted requests of each second, and of waiting messages."""
    lines = {
        "arrived": [moment.arrived for moment in moments],
        "accepted": [moment.arrived - moment.refused for moment in moments],
        "waiting": [moment.waiting for moment in moments],
    }
    highest = max(max(values) for values in lines.values()) or 1
    names = {"arrived": "requests that arrive", "accepted": "accepted", "waiting": "messages that wait in SQS"}
    left, bottom = MARGIN + 64, top + PLOT_HEIGHT
    yield f'<line class="axis" x1="{left}" x2="{left + PLOT_WIDTH}" y1="{bottom}" y2="{bottom}"/>'
    for share in (0.0, 0.5, 1.0):
        yield _text(MARGIN, bottom - share * PLOT_HEIGHT + 4, f"{round(share * highest, -3):,.0f}", "small")
    for number, (name, values) in enumerate(lines.items()):
        yield f'<polyline class="{name}" points="{_points(values, left, bottom, highest)}"/>'
        x = left + number * 210
        yield f'<line class="{name}" x1="{x}" x2="{x + 24}" y1="{top - 18}" y2="{top - 18}" stroke-width="2"/>'
        yield _text(x + 30, top - 14, names[name], "small")
    yield _text(left, bottom + 20, "0 s", "small")
    yield _text(left + PLOT_WIDTH - 24, bottom + 20, f"{len(moments)} s", "small")


def _points(values: Sequence[float], left: float, bottom: float, highest: float) -> str:
    step = PLOT_WIDTH / max(len(values) - 1, 1)
    return " ".join(
        f"{left + number * step:.1f},{bottom - PLOT_HEIGHT * value / highest:.1f}"
        for number, value in enumerate(values)
    )


def _text(left: float, line: float, text: str, style: str = "") -> str:
    return f'<text x="{left:.0f}" y="{line:.0f}" class="{style}">{escape(text)}</text>'
