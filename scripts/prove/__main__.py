"""`make prove`: try everything, then break every wall on purpose; writes isolation-report.{json,html}."""

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from scripts.prove.mutant import Mutant
from scripts.prove.mutants import MUTANTS
from scripts.prove.report_page import page
from scripts.prove.runs import Verdict, copy, prove, try_mutant

ROOT: Final = Path(__file__).parents[2]
REPORT: Final = "isolation-report"
AT_ONCE: Final = 2


def main(arguments: list[str]) -> int:
    """Prove, and report; words among *arguments* choose mutants by what their names contain. Return 0 if all held."""
    chosen = [mutant for mutant in MUTANTS if all(word in mutant.name for word in arguments)]
    if not chosen:
        print("There is no mutant whose name has all of these words.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        code = copy(ROOT, Path(folder))  # whoever edits meanwhile does not disturb
        has_held = bool(arguments) or prove(code, Path(folder)) == 0
        findings = _read(Path(folder) / f"{REPORT}.json")
        verdicts = list(_tell(try_all(code, chosen)))
    is_proven = has_held and all(verdict.caught_by for verdict in verdicts)
    caught = sum(bool(verdict.caught_by) for verdict in verdicts)
    print(f"{caught} of {len(verdicts)} mutants caught; {'proven' if is_proven else 'NOT PROVEN'}")
    if not arguments:
        _write({"date": datetime.now(UTC).date().isoformat(), "proven": is_proven, "findings": findings}, verdicts)
        print(f"{REPORT}.html, {REPORT}.json")
    return 0 if is_proven else 1


def try_all(code: Path, mutants: Iterable[Mutant]) -> Iterator[Verdict]:
    """Try *mutants* of *code*, some at a time, and return their verdicts in order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda mutant: try_mutant(code, mutant), mutants)


def _tell(verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    for verdict in verdicts:
        how = verdict.caught_by or verdict.problem or "NOBODY NOTICED"
        print(f"{'caught' if verdict.caught_by else 'MISSED'}  {verdict.mutant.name}: {how}", flush=True)
        yield verdict


def _write(report: dict[str, Any], verdicts: Iterable[Verdict]) -> None:
    report = {**report, "mutants": [_document(verdict) for verdict in verdicts]}
    (ROOT / f"{REPORT}.json").write_text(f"{json.dumps(report, indent=2)}\n", encoding="utf-8")
    (ROOT / f"{REPORT}.html").write_text(page(report), encoding="utf-8")


def _document(verdict: Verdict) -> dict[str, str | bool]:
    return {
        "name": verdict.mutant.name,
        "wall": verdict.mutant.wall,
        "file": verdict.mutant.file,
        "caught": bool(verdict.caught_by),
        "by": verdict.caught_by or verdict.problem or "nobody",
    }


def _read(file: Path) -> dict[str, Any]:
    findings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return findings


sys.exit(main(sys.argv[1:]))
