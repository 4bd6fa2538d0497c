"""The console: static files. It is a client of the API, and has no right of its own."""

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from tenancy.errors import NotFoundError
from tenancy.gateway.console_files import MEDIA_TYPES
from tenancy.gateway.console_linker import Console, link
from tenancy.gateway.http import Request, Response
from tenancy.gateway.serve import serve

WEB: Final = Path(__file__).with_name("web")
PAGE_NAME: Final = re.compile(r"[^./]+")
NO_FILE: Final = "The console has no such file. After a release, load the page again."


def answer(request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Answer one request: with the page for the console and each of its pages, else with a file.

    The query belongs to the page, which reads it in the browser. Relative names in a page depend on the trailing slash
    of its path. A name without a dot is that of a page. An unknown one is answered with the page, which says so in a
    way that people understand, and with 404.

    Raises:
        NotFoundError: there is no such file.
    """
    console = read_console()
    name = request.path.removeprefix("/console").removeprefix("/")
    if not name:
        page = console.page if request.sent_path.endswith("/") else console.page_above
        return page.answer(request)
    if PAGE_NAME.fullmatch(name):
        page = console.page_below if request.sent_path.endswith("/") else console.page
        return page.answer(request) if name in console.page_names else page.answer_missing(request)
    file = console.files.get(name)
    if file is None:
        raise NotFoundError(NO_FILE)
    return file.answer(request)


@cache
def read_console() -> Console:
    """Return the linked files. They are read at the first request, so no cold start reads them."""
    paths = sorted(path for path in WEB.rglob("*") if path.suffix in MEDIA_TYPES)
    return link({path.relative_to(WEB).as_posix(): path.read_text(encoding="utf-8") for path in paths})


handler = serve(answer)
