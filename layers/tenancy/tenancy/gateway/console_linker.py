"""The modules of the console linked into files.

`functions/console/web` has one module per page and component. A browser would load each of them in a request of its
own. So all modules except pages and `vendor` are linked into one file (docs/decisions/0076-console.md). There each
module is a function that returns its exports. So modules must have named exports of declarations, and no circular
imports.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from posixpath import dirname, join, normpath
from typing import Final

import msgspec

from tenancy.gateway.console_files import MEDIA_TYPES, StaticFile, digest_of

PAGES: Final = "pages/"
VENDOR: Final = "vendor/"
STATIC_IMPORT: Final = re.compile(r'(?m)^import \{([^}]*)\} from "([^"]+)";\n')
DYNAMIC_IMPORT: Final = re.compile(r'\bimport\("([^"]+)"\)')
EXPORT: Final = re.compile(r"(?m)^export ((?:async )?(?:function|const|class) (\w+))")
HASH_CHARACTERS: Final = 16
SHARED: Final = "shared"
OWN: Final = "own"  # of an organization


class Folder(StrEnum):
    """Where the files are, seen from the address of the page."""

    BESIDE = ""
    ABOVE = "../"
    BELOW = "console/"


@dataclass(frozen=True, slots=True)
class Console:
    """The files by their hashed name, and the page.

    The page differs by the folder of its files, and by whether its host is shared by organizations.
    """

    files: Mapping[str, StaticFile]
    page_names: frozenset[str]
    pages: Mapping[tuple[Folder, bool], StaticFile]

    def find_page(self, folder: Folder, *, is_shared: bool) -> StaticFile:
        """Return the page for an address and a host."""
        return self.pages[folder, is_shared]


def link(sources: Mapping[str, str]) -> Console:
    """Return the console made of *sources* by their path in the folder `web`.

    `index.html` names `app.css`, `app.js`, other files of the folder, in `{pages}` the files of the pages, and in
    `{host}` whether organizations share its host.
    """
    scripts = {path: text for path, text in sources.items() if path.endswith(".js")}
    parts = {path: text for path, text in scripts.items() if not path.startswith((PAGES, VENDOR))}
    hashed: dict[str, StaticFile] = {}
    names: dict[str, str] = {}

    def add(path: str, text: str) -> None:
        stem, dot, extension = path.rpartition("/")[2].rpartition(".")
        names[path] = f"{stem}-{digest_of(text.encode())[:HASH_CHARACTERS]}{dot}{extension}"
        hashed[names[path]] = StaticFile(text.encode(), MEDIA_TYPES[f".{extension}"], is_hashed=True)

    for path in sorted(sources.keys() - scripts.keys() - {"index.html"}):
        if not path.endswith(".css"):
            add(path, sources[path])
    add("app.css", "".join(sources[path] for path in sorted(sources) if path.endswith(".css")))
    for path in sorted(scripts):
        if path.startswith(VENDOR):
            add(path, scripts[path])
    linked = [_as_function(path, _name_files(path, parts[path], names)) for path in in_order(parts)]
    add("app.js", "".join([*linked, f"export {{ {', '.join(map(_variable, parts))} }};\n"]))
    for path in sorted(scripts):
        if path.startswith(PAGES):
            add(path, _as_page(path, _name_files(path, scripts[path], names), names["app.js"]))
    pages = {path.removeprefix(PAGES).removesuffix(".js"): names[path] for path in scripts if path.startswith(PAGES)}
    html = sources["index.html"].replace("{pages}", _as_attribute(pages))
    return Console(
        files=hashed,
        page_names=frozenset(pages),
        pages={
            (folder, is_shared): _page(html, names, folder, is_shared=is_shared)
            for folder, is_shared in product(Folder, (False, True))
        },
    )


def in_order(modules: Mapping[str, str]) -> Iterable[str]:
    """Return the paths of *modules*. Each path comes after those that its module imports.

    Raises:
        ValueError: modules import each other in a circle.
    """
    placed: dict[str, None] = {}

    def place(path: str, above: tuple[str, ...]) -> None:
        if path in above:
            raise ValueError(f"These modules import each other: {', '.join(above)}.")
        if path in placed:
            return
        for _, name in STATIC_IMPORT.findall(modules[path]):
            place(_resolve(path, name), (*above, path))
        placed[path] = None

    for path in sorted(modules):
        place(path, ())
    return placed


def _page(html: str, names: Mapping[str, str], folder: Folder, *, is_shared: bool) -> StaticFile:
    for name in ("app.css", "app.js", *(path for path in names if "/" not in path)):
        html = html.replace(f'"{name}"', f'"{folder}{names[name]}"')
    html = html.replace("{host}", SHARED if is_shared else OWN)
    return StaticFile(html.encode(), MEDIA_TYPES[".html"], is_hashed=False)


def _as_attribute(pages: Mapping[str, str]) -> str:
    return msgspec.json.encode(dict(sorted(pages.items()))).decode().replace('"', "&quot;")


def _as_function(path: str, text: str) -> str:
    """Return a module as a constant that has its exports."""
    imports = STATIC_IMPORT.sub(lambda found: _destructured(found[1], _resolve(path, found[2])), text)
    exports = ", ".join(name for _, name in EXPORT.findall(text))
    return f"const {_variable(path)} = (() => {{\n{EXPORT.sub(r'\1', imports)}return {{ {exports} }};\n}})();\n"


def _as_page(path: str, text: str, file: str) -> str:
    """Return a page that imports from the linked *file*."""
    used = sorted({_variable(_resolve(path, name)) for _, name in STATIC_IMPORT.findall(text)})
    return f'import {{ {", ".join(used)} }} from "./{file}";\n' + STATIC_IMPORT.sub(
        lambda found: _destructured(found[1], _resolve(path, found[2])), text
    )


def _destructured(imported: str, path: str) -> str:
    return f"const {{{imported.replace(' as ', ': ')}}} = {_variable(path)};\n"


def _name_files(path: str, text: str, names: Mapping[str, str]) -> str:
    """Replace the names in dynamic imports by those that browsers load. Types in comments keep their names."""

    def named(found: re.Match[str]) -> str:
        name = names.get(_resolve(path, found[1]))
        return found[0] if name is None else f'import("./{name}")'

    return DYNAMIC_IMPORT.sub(named, text)


def _variable(path: str) -> str:
    return "$" + re.sub(r"\W", "_", path.removesuffix(".js"))


def _resolve(path: str, name: str) -> str:
    return normpath(join(dirname(path), name))
