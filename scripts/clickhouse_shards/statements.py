"""Each statement for ClickHouse with shards: the embedded engine runs it, only parses it, or neither."""

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType, ModuleType
from typing import Any, Final

import zstandard

import tenancy.stores.clickhouse as stores
from scripts.clickhouse_shards.engine import MIGRATIONS
from tenancy.rules.events.frames import EventTable
from tenancy.stores.clickhouse.client import SHARDS_SUFFIX, Client, DatabaseError
from tenancy.stores.clickhouse.platform.events import COLUMNS, insert_frames
from tenancy.stores.clickhouse.platform.migrations import ACCESS_MANAGEMENT, CREATE_VERSIONS, replicate
from tenancy.stores.clickhouse.platform.shards import FIND_USER
from tenancy.use_cases.schema.migrate import read_migrations

STATEMENT: Final = re.compile(r"\s*(SELECT|WITH|INSERT|ALTER|CREATE|GRANT)\b")
MUTATION: Final = re.compile(r"\s*ALTER TABLE \w+ DELETE\b")
PLACEHOLDER: Final = re.compile(r"\{(\w+):((?:[^{}]|\{[^{}]*\})+)\}")
CREATE_DATABASE: Final = """
    CREATE DATABASE tenancy_shards ENGINE = Replicated('/clickhouse/databases/tenancy_shards', '{shard}', '{replica}')
    SETTINGS collection_name = 'tenancy_cluster'
"""
CREATE_DATABASE_NAME: Final = "CREATE DATABASE … ENGINE = Replicated"
CREATE_USER: Final = "CREATE USER tenancy_usage IDENTIFIED BY 'secret' DEFAULT ROLE tenancy_reader"
NO_KEEPER: Final = "Replicated tables need Keeper. The form for one server was run instead."
NO_ACCESS: Final = "The engine manages no access."
ON_SHARDS: Final = "On the tables of the shards."
ON_DISTRIBUTED: Final = "Through Distributed tables."
RUN, PARSED, NEITHER = "run", "parsed", "neither"
SAMPLES: Final[Mapping[str, Any]] = {
    "UUID": "00000000-0000-4000-8000-00000000ac3e",
    "Date": "2026-11-20",
    "DateTime64": "2026-11-20 10:00:00",
    "String": "0",
    "Bool": True,
}
START, END = "<!-- statements -->\n", "<!-- end of statements -->\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A statement that was tried on the embedded engine: "run", "parsed" or "neither", and the reason."""

    name: str
    result: str
    reason: str


def try_all(client: Client, statements: Mapping[str, str] | None = None) -> list[Tried]:
    """Try each statement of the schema, and *statements* of the stores, on *client*, whose database has two shards."""
    return [*_try_schema(client), *_try_stores(client, statements or list_store_statements())]


def write_table(tried: list[Tried]) -> str:
    """Return the table of docs/clickhouse.md."""
    rows = [f"| `{each.name}` | {each.result} | {each.reason} |" for each in tried]
    return "\n".join(["| Statement | Result | Why |", "|---|---|---|", *rows]) + "\n"


def refresh(document: str, table: str) -> str:
    """Return *document* with *table* instead of its table of statements."""
    before, _, rest = document.partition(START)
    return f"{before}{START}{table}{END}{rest.partition(END)[2]}"


def list_store_statements() -> dict[str, str]:
    """Return the statements of the stores by name, without their parts and without those of the schema."""
    found: dict[str, str] = {}
    for module in _modules():
        texts = dict(_texts(module))
        for name, text in texts.items():
            is_part = any(text.strip() in other and text != other for other in texts.values())
            if STATEMENT.match(text) and (not is_part or _is_used(module, name)) and text != CREATE_VERSIONS:
                found[f"{module.__name__.removeprefix('tenancy.stores.clickhouse.')}.{name}"] = text
    return found


def _is_used(module: ModuleType, name: str) -> bool:
    """Return whether a function of *module* names the constant *name*."""
    functions = (each for each in vars(module).values() if isinstance(each, FunctionType))
    return any(name in each.__code__.co_names for each in functions)


def _try_schema(client: Client) -> Iterator[Tried]:
    yield _parse(
        client, "CREATE DATABASE … ENGINE = Replicated", CREATE_DATABASE, "A Replicated database needs Keeper."
    )
    yield _parse(client, "CREATE USER", CREATE_USER, NO_ACCESS)
    scripts = {"schema_migrations": CREATE_VERSIONS} | {each.name: each.script for each in read_migrations(MIGRATIONS)}
    for name, script in scripts.items():
        form = replicate(script)
        if ACCESS_MANAGEMENT.match(script):
            yield _parse(client, name, form, NO_ACCESS)
        elif form != script:
            yield _parse(client, name, form, NO_KEEPER)
        else:
            yield _run(client, name, form, ON_SHARDS, database=f"{client.database}{SHARDS_SUFFIX}")


def _try_stores(client: Client, statements: Mapping[str, str]) -> Iterator[Tried]:
    storage = f"{client.database}{SHARDS_SUFFIX}"
    for table in COLUMNS:
        yield _tried(f"insert_frames({table})", RUN, ON_DISTRIBUTED, partial(_insert_row, client, table))
    for name, text in statements.items():
        if ACCESS_MANAGEMENT.match(text):
            yield _parse(client, name, text, NO_ACCESS)
        elif name.startswith("platform.shards.CREATE_DISTRIBUTED"):
            parameters = {"database": client.database, "storage": storage, "shards": 2, "table": name.split(".")[-1]}
            yield _run(client, name, text, "A Distributed table of two shards.", parameters, database=storage)
        elif MUTATION.match(text):
            yield _run(client, name, text, ON_SHARDS, database=storage)
        elif "system." in text or text == FIND_USER:
            samples = _samples(text)
            yield _run(client, name, text, "No table of the schema.", samples and {**samples, "storage": storage})
        else:
            yield _run(client, name, text, ON_DISTRIBUTED)


def _parse(client: Client, name: str, text: str, reason: str) -> Tried:
    return _tried(name, PARSED, reason, lambda: client.command(f"EXPLAIN AST {text}"))


def _run(
    client: Client,
    name: str,
    text: str,
    reason: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    database: str | None = None,
) -> Tried:
    settings: dict[str, Any] = {"mutations_sync": 2, "allow_nondeterministic_mutations": 1}
    values = dict(_samples(text) if parameters is None else parameters)
    return _tried(
        name,
        RUN,
        reason,
        lambda: client.command(
            text, parameters=values or None, settings=settings | ({} if database is None else {"database": database})
        ),
    )


def _tried(name: str, result: str, reason: str, attempt: Callable[[], object]) -> Tried:
    try:
        attempt()
    except DatabaseError as error:
        return Tried(name=name, result=NEITHER, reason=str(error).splitlines()[-1])
    return Tried(name=name, result=result, reason=reason)


def _insert_row(client: Client, table: EventTable) -> None:
    row = {"organization_id": SAMPLES["UUID"], "event_timestamp": SAMPLES["DateTime64"]}
    insert_frames(client, table, [zstandard.compress(json.dumps(row).encode())], token=table)


def _samples(text: str) -> dict[str, Any]:
    return {name: _sample(kind) for name, kind in PLACEHOLDER.findall(text)}


def _sample(kind: str) -> object:
    outer, _, inner = kind.partition("(")
    if outer == "Array":
        return [] if inner.startswith("Tuple") else [_sample(inner.removesuffix(")"))]
    return SAMPLES.get(outer, 1)


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(stores.__path__, f"{stores.__name__}."):
        if not found.ispkg:
            yield importlib.import_module(found.name)


def _texts(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield the texts among the constants of *module*, also those within its mappings."""
    for name, value in vars(module).items():
        if name.isupper() and isinstance(value, str):
            yield name, value
        elif name.isupper() and isinstance(value, Mapping):
            yield from ((f"{name}.{key}", text) for key, text in value.items() if isinstance(text, str))
