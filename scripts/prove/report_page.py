"""The report as one HTML page without scripts or external files, readable without colours."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

OPEN_LIST_LIMIT: Final = 40  # longer lists are collapsed

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 } caption { text-align: left; font-weight: 600 }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #e5e5e5 }
td.number { text-align: right; font-variant-numeric: tabular-nums } .good { color: #14602b } .bad { color: #a40000 }
summary { cursor: pointer; font-weight: 600 } code { font-size: .9em; overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #eee } .good { color: #7ddc96 }
.bad { color: #ff8a80 } th, td { border-color: #333 } h2 { border-color: #444 } }
"""


def render_page(report: Mapping[str, Any]) -> str:
    """Return the *report* of `make prove` as a page."""
    result = "Proven" if report["proven"] else "Not proven"
    body = [
        f"<h1>Isolation of organizations: {_mark(result, is_good=report['proven'])}</h1>",
        f"<p>{escape(report['date'])}. The method is described in docs/isolation.md.</p>",
        _table("", _summary(report)),
        *(f"<h2>{escape(name.capitalize())}</h2>{_value(value)}" for name, value in report["findings"].items()),
        "<h2>Mutants</h2><p>Each mutant is a deliberate defect in one file. The tests must fail for it.</p>",
        _mutants(report["mutants"]),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
    title = f"<title>Isolation: {escape(result.lower())}</title>"
    return f'<!doctype html>\n<html lang="en"><head>{head}{title}</head>\n<body>{"\n".join(body)}</body></html>\n'


def duration(seconds: float) -> str:
    """Return *seconds* as text, such as "12 min 34 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _summary(report: Mapping[str, Any]) -> dict[str, object]:
    attacks, mutants = report["findings"].get("attacks", {}), report["mutants"]
    return {
        "combinations tried": attacks.get("combinations", 0),
        "leaks": len(attacks.get("leaks", ())),
        "faults (5xx)": len(attacks.get("faults (5xx)", ())),
        "existence leaks": len(attacks.get("existence leaks", ())),
        "mutants caught": f"{sum(mutant['caught'] for mutant in mutants)} of {len(mutants)}",
        "duration": duration(report["seconds"]),
    }


def _value(value: object) -> str:
    match value:
        case Mapping():
            simple = {name: each for name, each in value.items() if not isinstance(each, Mapping | list)}
            parts = [_table("", simple)] if simple else []
            for name, each in value.items():
                if isinstance(each, Mapping):
                    parts.append(_table(name, each))
                elif isinstance(each, list):
                    parts.append(f"<h3>{escape(name.capitalize())}: {len(each)}</h3>{_list(each)}")
            return "".join(parts)
        case list():
            return _list(value)
    return f"<p>{escape(str(value))}</p>"


def _list(items: Sequence[object]) -> str:
    entries = "".join(f"<li><code>{escape(str(item))}</code></li>" for item in items)
    if not entries:
        return ""
    is_open = " open" if len(items) <= OPEN_LIST_LIMIT else ""
    return f"<details{is_open}><summary>all {len(items)}</summary><ul>{entries}</ul></details>"


def _table(caption: str, values: Mapping[str, object]) -> str:
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th><td class="number">{escape(str(value))}</td></tr>'
        for name, value in values.items()
    )
    return f"<table>{title}<tbody>{rows}</tbody></table>"


def _mutants(mutants: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(mutant['name'])}</td><td>{escape(mutant['safeguard'])}</td>"
        f"<td><code>{escape(mutant['file'])}</code></td>"
        f"<td>{_mark('caught' if mutant['caught'] else 'missed', is_good=mutant['caught'])}</td>"
        f'<td><code>{escape(mutant["by"])}</code></td><td class="number">{duration(mutant["seconds"])}</td></tr>'
        for mutant in mutants
    )
    columns = ("defect", "safeguard", "file", "result", "failed test", "duration")
    names = "".join(f'<th scope="col">{name}</th>' for name in columns)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"


def _mark(text: str, *, is_good: bool) -> str:
    return f'<span class="{"good" if is_good else "bad"}">{escape(text)}</span>'
