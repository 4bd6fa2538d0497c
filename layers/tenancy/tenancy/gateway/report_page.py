"""A report as an HTML page for people and printers: one file without script, every value escaped."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any, Final

STYLE: Final = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}table{border-collapse:collapse;margin:.5rem 0 1rem;width:100%}"
    "th,td{border:1px solid #c8c8c8;padding:.25rem .5rem;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere}th{background:#f2f2f2}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}"
    "h3{font-size:1rem;margin-bottom:0}"
)
STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'; sandbox"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)
NONE: Final = "-"


def format_page(title: str, document: Mapping[str, Any]) -> str:
    """Return the JSON *document* as a page: a section for each object and list in it, the other members first."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{_members(document, level=2)}</body></html>"
    )


def _members(document: Mapping[str, Any], *, level: int) -> str:
    plain = {name: value for name, value in document.items() if not isinstance(value, dict | list)}
    nested = {name: value for name, value in document.items() if name not in plain}
    facts = "".join(f'<tr><th scope="row">{_name(name)}</th><td>{_text(plain[name])}</td></tr>' for name in plain)
    return (f"<table>{facts}</table>" if facts else "") + "".join(
        f"<h{level}>{_name(name)}</h{level}>{_section(value, level=level)}" for name, value in nested.items()
    )


def _section(value: dict[str, Any] | list[Any], *, level: int) -> str:
    if isinstance(value, dict):
        return _members(value, level=min(level + 1, 6))
    if not value:
        return f"<p>{NONE}</p>"
    return _rows(value) if isinstance(value[0], dict) else f"<p>{_text(value)}</p>"


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f'<th scope="col">{_name(name)}</th>' for name in rows[0])
    lines = ("".join(f"<td>{_text(value)}</td>" for value in row.values()) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _name(member: str) -> str:
    return escape(member.replace("_", " ").capitalize())


def _text(value: object) -> str:
    """Return a value as text, with all special characters of HTML escaped."""
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{_name(str(name)).lower()}: {_text(each)}" for name, each in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "; ".join(_text(each) for each in value) or NONE
    return escape(str(value))
