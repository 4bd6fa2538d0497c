"""Linking of the console's modules, and the names of its files."""

import json
import re
from typing import Final

import pytest

from tenancy.gateway.console_files import StaticFile
from tenancy.gateway.console_linker import Console, Folder, in_order, link

HTML: Final = (
    '<meta content="{pages}"><meta content="{host}">'
    '<link href="icon.svg"><link href="app.css"><script src="app.js"></script>'
)
SOURCES: Final = {
    "index.html": HTML,
    "icon.svg": "<svg/>",
    "a.css": "a {}\n",
    "b.css": "b {}\n",
    "app.js": 'import { two } from "./parts/two.js";\nexport const all = two();\n',
    "parts/two.js": 'import { one as first } from "../one.js";\nexport function two() { return first + 1; }\n',
    "one.js": "const hidden = 1;\nexport const one = hidden;\n",
    "pages/home.js": 'import { two } from "../parts/two.js";\nexport const page = () => import("../vendor/big.js");\n',
    "vendor/big.js": "export default 1;\n",
}


def name_of(console: Console, stem: str) -> str:
    [name] = [name for name in console.files if re.fullmatch(rf"{re.escape(stem)}-[0-9a-f]{{16}}\.\w+", name)]
    return name


def page_of(console: Console, *, is_shared: bool = False) -> StaticFile:
    return console.find_page(Folder.BESIDE, is_shared=is_shared)


def text_of(console: Console, name: str) -> str:
    return console.files[name].content.decode()


def test_modules_become_one_file_in_the_order_of_their_imports() -> None:
    console = link(SOURCES)

    [app] = [name for name in console.files if name.startswith("app-") and name.endswith(".js")]
    text = text_of(console, app)
    assert text.index("const $one =") < text.index("const $parts_two =") < text.index("const $app =")
    assert "const { one: first } = $one;" in text
    assert "return { two };" in text
    assert "export { $app, $parts_two, $one };" in text
    assert '"./' not in text


def test_page_imports_from_the_linked_file() -> None:
    console = link(SOURCES)

    home, big = text_of(console, name_of(console, "home")), name_of(console, "big")
    [app] = [name for name in console.files if name.startswith("app-") and name.endswith(".js")]
    assert home.startswith(f'import {{ $parts_two }} from "./{app}";\nconst {{ two }} = $parts_two;\n')
    assert f'import("./{big}")' in home


def test_page_names_all_files_by_their_hash() -> None:
    console = link(SOURCES)

    html = page_of(console).content.decode().replace("&quot;", '"')
    assert json.loads(re.findall(r'content="(\{.*?\})"', html)[0]) == {"home": name_of(console, "home")}
    assert all(name in console.files for name in re.findall(r'(?:href|src)="([^"]+)"', html))
    assert console.page_names == {"home"}


def test_page_names_the_kind_of_its_host() -> None:
    console = link(SOURCES)

    own, shared = (page_of(console, is_shared=is_shared).content.decode() for is_shared in (False, True))

    assert '<meta content="own">' in own
    assert shared == own.replace('"own"', '"shared"')


def test_changed_module_changes_the_names_of_its_users() -> None:
    before, after = link(SOURCES), link({**SOURCES, "one.js": "export const one = 2;\n"})

    assert name_of(before, "big") == name_of(after, "big")
    assert name_of(before, "home") != name_of(after, "home")
    assert page_of(before).version != page_of(after).version


def test_changed_page_changes_no_other_file() -> None:
    before, after = link(SOURCES), link({**SOURCES, "pages/home.js": "export const page = 1;\n"})

    assert len(before.files.keys() & after.files.keys()) == len(before.files) - 1


def test_modules_in_a_circle_are_refused() -> None:
    circle = {"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}

    with pytest.raises(ValueError, match=r"These modules import each other: a\.js, b\.js\."):
        list(in_order(circle))
