"""The command line: ``python -m scripts.capacity [report | measure | validate]``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scripts.capacity import ROOT
from scripts.capacity.known import SERVICE_TIMES, AwsNumbers, ServiceTimes
from scripts.capacity.picture import PICTURE, draw
from scripts.capacity.report import LOADS, make_report, write_report
from scripts.capacity.traffic import Traffic
from scripts.progress import progress

DOCUMENT: Final = ROOT / "docs" / "scaling.md"
FENCE: Final = "```"


def main() -> int:
    """Print the report, measure the service times, or compare the simulation with the local stack."""
    parser = _parser()
    chosen = parser.parse_args()
    if chosen.write and chosen.load:
        parser.error("--write is for the usual loads")
    with progress(lambda line: print(line, file=sys.stderr, flush=True), chosen.command):
        match chosen.command:
            case "measure":
                return _measure(chosen.output, is_smallest=chosen.smallest)
            case "validate":
                return _validate(is_smallest=chosen.smallest)
        return _report(chosen.load or LOADS, is_written=chosen.write)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.capacity", description=__doc__)
    parser.add_argument(
        "command",
        nargs="?",
        default="report",
        choices=["report", "measure", "validate"],
        help="report (default): simulate the loads and print their needs; measure: write service_times.json; "
        "validate: compare the simulation with the functions on the local stack",
    )
    parser.add_argument("--load", type=float, nargs="+", help="with report: other loads, in requests per second")
    parser.add_argument("--write", action="store_true", help="with report: write docs/scaling.svg and docs/scaling.md")
    parser.add_argument("--smallest", action="store_true", help="with measure and validate: run all of the code once")
    parser.add_argument("--output", type=Path, default=SERVICE_TIMES, help="with measure: the file to write")
    return parser


def _report(loads: Sequence[float], *, is_written: bool) -> int:
    times = ServiceTimes.load_file()
    report = make_report([Traffic(rate=rate) for rate in loads], AwsNumbers.load(), times)
    text = f"Service times of {times.measured_at}: {times.machine}\n\n{write_report(report)}"
    print(text)
    if is_written:
        PICTURE.write_text(draw(report), encoding="utf-8")
        DOCUMENT.write_text(refresh(DOCUMENT.read_text(encoding="utf-8"), text), encoding="utf-8")
        print(f"\nwrote {PICTURE.relative_to(ROOT)} and {DOCUMENT.relative_to(ROOT)}")
    return 0


def refresh(document: str, report: str) -> str:
    """Return *document* with *report* as its block of text."""
    before, _, rest = document.partition(f"{FENCE}text\n")
    return f"{before}{FENCE}text\n{report}\n{FENCE}{rest.partition(FENCE)[2]}"


def _measure(file: Path, *, is_smallest: bool) -> int:
    from scripts.capacity.measure import ROUNDS, measure_service_times, write_service_times  # noqa: PLC0415 - a stack

    write_service_times(measure_service_times(rounds=1 if is_smallest else ROUNDS), file)
    print(f"wrote {file.name}")
    return 0


def _validate(*, is_smallest: bool) -> int:
    from scripts.capacity.validate import show_validation, validate  # noqa: PLC0415 - needs a stack

    is_met = show_validation(validate(is_smallest=is_smallest))
    return int(not is_met and not is_smallest)


if __name__ == "__main__":
    sys.exit(main())
