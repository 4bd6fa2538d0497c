"""The console: static files. It is a client of the API, and has no right of its own."""

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from tenancy.errors import NotFoundError
from tenancy.gateway.console_files import MEDIA_TYPES
from tenancy.gateway.console_linker import Console, Folder, link
from tenancy.gateway.cookies import host_of
from tenancy.gateway.http import Request, Response
from tenancy.gateway.serve import serve
from tenancy.rules.host_names import PlatformHosts
from tenancy.rules.named_organization import names_organization
from tenancy.settings import Settings

WEB: Final = Path(__file__).with_name("web")
PAGE_NAME: Final = re.compile(r"[^./]+")
NO_FILE: Final = "The console has no such file. After a release, load the page again."

settings = Settings.from_env("API_HOST", "BASE_DOMAIN")
hosts: Final = PlatformHosts(base_domain=settings.base_domain, api_host=settings.api_host)


def answer(request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Answer one request: with the page for the console and each of its pages, else with a file.

    The query belongs to the page, which reads it in the browser. Relative names in a page depend on the trailing slash
    of its path. On a host that organizations share, the page asks for the organization.

    A name without a dot is that of a page. For an unknown one the answer is the page with 404, which says so to people.

    Raises:
        NotFoundError: there is no such file.
    """
    console = read_console()
    name = request.path.removeprefix("/console").removeprefix("/")
    is_folder = request.sent_path.endswith("/")
    is_shared = not names_organization(host_of(request), hosts)
    if not name:
        folder = Folder.BESIDE if is_folder else Folder.BELOW
        return console.find_page(folder, is_shared=is_shared).answer(request)
    if PAGE_NAME.fullmatch(name):
        page = console.find_page(Folder.ABOVE if is_folder else Folder.BESIDE, is_shared=is_shared)
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
