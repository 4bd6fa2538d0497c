"""Draw isolation-report.json as a picture: ``python -m scripts.isolation_picture`` writes docs/isolation.svg."""

import json
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
REPORT: Final = ROOT / "isolation-report.json"
PICTURE: Final = ROOT / "docs" / "isolation.svg"

WIDTH: Final = 880
MARGIN: Final = 24
TILES_TOP: Final = 76
TILE_HEIGHT: Final = 76
GAP: Final = 12
LISTS_TOP: Final = TILES_TOP + TILE_HEIGHT + 48
LINE_HEIGHT: Final = 22
LABEL_WIDTH: Final = 170
COLUMN_WIDTH: Final = (WIDTH - 2 * MARGIN - 2 * GAP) // 2

STYLE: Final = """
text { font-family: system-ui, sans-serif; font-size: 13px; fill: #1a1a1a }
.title { font-size: 22px; font-weight: 600 } .number { font-size: 24px; font-weight: 600 } .small { fill: #555 }
.page { fill: #fff } .tile { fill: #f3f4f6 } .bar { fill: #4c78a8 } .good { fill: #14602b } .bad { fill: #a40000 }
@media (prefers-color-scheme: dark) {
text { fill: #eee } .small { fill: #aaa } .page { fill: #161616 } .tile { fill: #262626 } .bar { fill: #7aa6d6 }
.good { fill: #7ddc96 } .bad { fill: #ff8a80 } }
"""


def main() -> int:
    """Write the picture of the last `make prove`."""
    if not REPORT.exists():
        print(f"{REPORT.name} does not exist. Run `make prove` first.", file=sys.stderr)
        return 1
    PICTURE.write_text(draw(json.loads(REPORT.read_text(encoding="utf-8"))), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
    return 0


def draw(report: Mapping[str, Any]) -> str:
    """Return the *report* of `make prove` as SVG."""
    attempts, mutants = _count_attempts(report), _count_mutants(report)
    height = LISTS_TOP + LINE_HEIGHT * (max(len(attempts), len(mutants)) + 1) + MARGIN
    result = "proven" if report["proven"] else "NOT PROVEN"
    title = f"Isolation of organizations: {result}, {report['date']}"
    body = [
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
        _text(MARGIN, 44, title, f"title {_grade(is_good=report['proven'])}"),
        *_tiles(report),
        *_bars(attempts),
        *_shares(mutants),
    ]
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n{'\n'.join(body)}\n</svg>\n"
    )


def _count_attempts(report: Mapping[str, Any]) -> dict[str, int]:
    """Return how many requests named another organization, by the place that named it, most first."""
    counts: dict[str, int] = report["findings"].get("attacks", {}).get("by injection point", {})
    return dict(sorted(counts.items(), key=lambda each: -each[1]))


def _count_mutants(report: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return how many mutants of each safeguard were caught, and how many there are."""
    counts: dict[str, tuple[int, int]] = {}
    for mutant in report["mutants"]:
        caught, total = counts.get(mutant["safeguard"], (0, 0))
        counts[mutant["safeguard"]] = (caught + mutant["caught"], total + 1)
    return counts


def _tiles(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the numbers that decide: findings must be 0, and all mutants caught."""
    attacks, mutants = report["findings"].get("attacks", {}), report["mutants"]
    caught = sum(mutant["caught"] for mutant in mutants)
    tiles = [("requests tried", f"{attacks.get('combinations', 0):,}", bool(attacks))]
    for name in ("leaks", "faults (5xx)", "existence leaks"):
        found = len(attacks.get(name, ()))
        tiles.append((name, str(found), bool(attacks) and not found))
    tiles.append(("mutants caught", f"{caught} of {len(mutants)}", caught == len(mutants)))
    width = (WIDTH - 2 * MARGIN - (len(tiles) - 1) * GAP) // len(tiles)
    for position, (name, number, is_good) in enumerate(tiles):
        left = MARGIN + position * (width + GAP)
        yield f'<rect class="tile" x="{left}" y="{TILES_TOP}" width="{width}" height="{TILE_HEIGHT}" rx="6"/>'
        yield _text(left + GAP, TILES_TOP + 36, number, f"number {_grade(is_good=is_good)}")
        yield _text(left + GAP, TILES_TOP + 60, name, "small")


def _bars(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield one bar for each place of a request that named another organization."""
    yield _text(MARGIN, LISTS_TOP - 14, "Requests that named another organization, by place")
    longest = COLUMN_WIDTH - LABEL_WIDTH - 56
    for position, (name, count) in enumerate(counts.items()):
        top, left = LISTS_TOP + position * LINE_HEIGHT, MARGIN + LABEL_WIDTH
        width = max(1, longest * count // max(counts.values()))
        yield _text(MARGIN, top + 14, name, "small")
        yield f'<rect class="bar" x="{left}" y="{top + 3}" width="{width}" height="14" rx="2"/>'
        yield _text(left + width + 6, top + 14, f"{count:,}", "small")


def _shares(counts: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Yield one line for each safeguard that mutants break."""
    left = MARGIN + COLUMN_WIDTH + 2 * GAP
    yield _text(left, LISTS_TOP - 14, "Mutants caught, by the safeguard that they break")
    for position, (name, (caught, total)) in enumerate(counts.items()):
        line = LISTS_TOP + position * LINE_HEIGHT + 14
        yield _text(left, line, f"{caught} of {total}", _grade(is_good=caught == total))
        yield _text(left + 56, line, name, "small")


def _text(left: int, line: int, text: str, style: str = "") -> str:
    return f'<text x="{left}" y="{line}" class="{style}">{escape(text)}</text>'


def _grade(*, is_good: bool) -> str:
    return "good" if is_good else "bad"


if __name__ == "__main__":
    sys.exit(main())
