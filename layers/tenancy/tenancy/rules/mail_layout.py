"""The HTML part of a mail: its text, in the colors of a branding.

This module alone makes HTML of mails. `render_html` escapes each value. Only addresses of the console become links, and
only those that are a line of their own. So no name, key or URL that a tenant chose is ever a link.
"""

import re
from html import escape
from typing import Final

# Mail programs drop style sheets, so each element has its own style. Spaces and line breaks of the text are kept.
LAYOUT: Final = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body style="margin:0;padding:24px;background:#ffffff;color:#111827">
<div style="max-width:640px;margin:0 auto;border-top:4px solid {color};padding-top:24px">
{logo}<div style="font:16px/1.5 {fonts};white-space:pre-wrap;overflow-wrap:anywhere">{text}</div>
</div>
</body>
</html>
"""
LOGO: Final = '<p style="margin:0 0 24px"><img src="{url}" alt="{name}" style="max-width:240px;max-height:80px"></p>\n'
LINK: Final = '<a href="{url}" style="color:inherit">{url}</a>'
# The rest of an address in a template of mails.py, with its values.
CONSOLE_PAGE: Final = re.compile(r"(?:reset|accept)?\?organization=[a-z0-9-]+(?:#token=ot_[0-9A-Za-z]+)?")
DEFAULT_FONTS: Final = "system-ui, sans-serif"


def render_html(
    *,
    title: str,
    text: str,
    color: str,
    console_url: str | None = None,
    logo_url: str | None = None,
    name: str | None = None,
    fonts: str | None = None,
) -> str:
    """Return a page with *text*, whose addresses below *console_url* are links.

    *color* is that of its edge. *fonts* are a value of the CSS variable `--font-family`. *name* stands for the logo
    where images are not shown.
    """
    logo = "" if logo_url is None else LOGO.format(url=escape(logo_url), name=escape(name or ""))
    lines = "\n".join(_line(line, console_url) for line in text.split("\n"))
    return LAYOUT.format(
        title=escape(title), text=lines, color=escape(color), fonts=escape(fonts or DEFAULT_FONTS), logo=logo
    )


def _line(line: str, console_url: str | None) -> str:
    if console_url is None or not line.startswith(console_url):
        return escape(line)
    is_console_page = CONSOLE_PAGE.fullmatch(line.removeprefix(console_url)) is not None
    return LINK.format(url=escape(line)) if is_console_page else escape(line)
