"""The names that a release promises: stored, sent or configured, so that a later one must not rename them.

`python -m scripts.release_names COMMIT` writes those of a release to scripts/previous-release-names.json. A test
compares the current code with that file.
"""

import ast
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
FILE: Final = ROOT / "scripts/previous-release-names.json"
RELEASE: Final = ROOT / "scripts/previous-release"
SOURCES: Final = ("layers/tenancy", "functions")
MIGRATIONS: Final = "layers/migrations/"
# Members of the API, columns, Redis keys and fields, attributes, kinds, actions, metrics, secrets, error codes.
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[-._:/][A-Za-z0-9_]+)*|[:{][A-Za-z_{}:-]*:[A-Za-z_{}:-]*")
LUA_NAME: Final = re.compile(r"'([A-Za-z][A-Za-z0-9_:]*)'")
LOGICAL_ID: Final = re.compile(r"^  ([A-Z][A-Za-z0-9]+):", re.MULTILINE)
# The fields of their subclasses become members of JSON, or of a query, or columns.
STORED_CLASSES: Final = frozenset({"BaseModel", "QueryMembers", "Struct", "NamedTuple"})

type Names = dict[str, list[str]]


def names_of(files: Mapping[str, str]) -> Names:
    """Return the names in *files* (texts by path): strings, stored fields, Lua names, ids and migrations."""
    sources = [text for path, text in files.items() if path.startswith(SOURCES) and path.endswith(".py")]
    lua = {name for path, text in files.items() if path.endswith(".lua") for name in LUA_NAME.findall(text)}
    migrations = [
        f"{path} {hashlib.sha256(text.encode()).hexdigest()}"
        for path, text in files.items()
        if path.startswith(MIGRATIONS)
    ]
    logical_ids = LOGICAL_ID.findall(files["template.yaml"])
    return {
        "strings": sorted({name for text in sources for name in _strings(text)}),
        "stored fields": sorted(set(_stored_fields(sources))),
        "Lua": sorted(lua),
        "logical ids": sorted(set(logical_ids)),
        "migrations": sorted(migrations),
    }


def current_files() -> dict[str, str]:
    """Return the files of the working copy that have such names."""
    paths = [path for folder in ("layers", "functions") for path in (ROOT / folder).rglob("*") if _is_source(path.name)]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in [*paths, ROOT / "template.yaml"]}


def files_of(commit: str) -> dict[str, str]:
    """Return the same files of *commit*, which must be in the repository's history."""
    listed = _git("ls-tree", "-r", "--name-only", commit, "layers", "functions", "template.yaml").splitlines()
    return {path: _git("show", f"{commit}:{path}") for path in listed if _is_source(path) or path == "template.yaml"}


def missing_names(before: Names, now: Names) -> Names:
    """Return the names of *before* that *now* lacks."""
    lost = {kind: sorted(set(names) - set(now[kind])) for kind, names in before.items()}
    return {kind: names for kind, names in lost.items() if names}


def _is_source(name: str) -> bool:
    return name.endswith((".py", ".lua", ".sql"))


@cache
def _nodes(source: str) -> tuple[ast.AST, ...]:
    """Return all nodes of a module.

    They are kept, because the tests compare many states of one code.
    """
    return tuple(ast.walk(ast.parse(source)))


@cache
def _strings(source: str) -> frozenset[str]:
    """Return each string constant that reads like a name, and is no annotation."""
    annotations = {id(part) for node in _nodes(source) for part in _annotation_of(node)}
    texts = (node.value for node in _nodes(source) if isinstance(node, ast.Constant) and id(node) not in annotations)
    named = frozenset(text for text in texts if isinstance(text, str) and NAME.fullmatch(text))
    return frozenset(text for text in named if not text.endswith(".lua"))  # a file of ours


def _annotation_of(node: ast.AST) -> Iterator[ast.AST]:
    annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
    return ast.walk(annotation) if isinstance(annotation, ast.AST) else iter(())


def _stored_fields(sources: Sequence[str]) -> Iterator[str]:
    """Yield each field of the classes that descend from STORED_CLASSES, through any number of others."""
    classes = [node for source in sources for node in _nodes(source) if isinstance(node, ast.ClassDef)]
    stored = STORED_CLASSES
    while found := {each.name for each in classes if stored & _bases(each)} - stored:
        stored |= found
    for each in classes:
        if each.name in stored:
            yield from (ast.unparse(member.target) for member in each.body if isinstance(member, ast.AnnAssign))


def _bases(each: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).rpartition(".")[2] for base in each.bases}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main(commit: str) -> None:
    """Write the names of *commit*."""
    FILE.write_text(f"{json.dumps(names_of(files_of(commit)), indent=1)}\n", encoding="utf-8")
    print(f"wrote {FILE.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1])
