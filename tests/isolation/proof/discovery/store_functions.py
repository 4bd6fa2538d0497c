"""Every public function of the stores, found by inspection, and arguments to call it with, made from its signature."""

import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from types import ModuleType
from typing import Any, TypeAliasType
from uuid import UUID, uuid4

import psycopg
from clickhouse_connect.driver.client import Client

import tenancy.stores
from tenancy.rules.api_keys import ApiKey, KeyType, generate_key
from tenancy.stores.redis.client import Redis

EARLY = ("start", "since", "from", "after", "first")
MANY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFunction:
    """A function, or a public method of a class, with the types of its parameters (*self* left out)."""

    name: str
    call: Callable[..., Any]
    parameters: Mapping[str, Any]
    defaults: Mapping[str, Any]
    is_keyword: Mapping[str, bool]

    @property
    def is_tenants(self) -> bool:
        """Whether it takes a connection first, and the organization right after it."""
        kinds = list(self.parameters.items())
        return bool(kinds) and is_connection(kinds[0][1]) and kinds[1:2] == [("organization_id", UUID)]


def discover_functions() -> list[StoreFunction]:
    """Return what the stores outside stores/platform offer."""
    found = []
    for info in pkgutil.walk_packages(tenancy.stores.__path__, "tenancy.stores."):
        if ".platform" not in info.name:
            found += list(_offered(importlib.import_module(info.name)))
    return found


def count_platform_functions() -> int:
    walked = pkgutil.walk_packages(tenancy.stores.__path__, "tenancy.stores.")
    modules = [importlib.import_module(info.name) for info in walked if ".platform." in info.name]
    return sum(len(list(_offered(module))) for module in modules)


def touches_rows(function: StoreFunction) -> bool:
    """Whether it works on a driver's connection."""
    return any(is_connection(kind) for kind in function.parameters.values())


def is_connection(kind: object) -> bool:
    return _is_a(kind, psycopg.Connection) or _is_a(kind, Client) or _is_a(kind, Redis)


def starts_with(function: StoreFunction, kind: type) -> bool:
    return _is_a(next(iter(function.parameters.values()), None), kind)


def _is_a(kind: object, wanted: type) -> bool:
    origin = typing.get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, wanted)


def arguments(
    function: StoreFunction, organization_id: UUID, rows: Mapping[str, str], choices: Mapping[str, tuple[str, ...]]
) -> tuple[list[Any], dict[str, Any]]:
    """Return arguments after the connection: the organization, its *rows* where ids are asked for, wide periods."""
    positional, keywords = [], {}
    makes_rows = function.name.rpartition(".")[2].startswith("insert_")
    for name, kind in list(function.parameters.items())[1:]:
        if name in function.defaults and makes_rows:
            continue
        value = (
            organization_id if name == "organization_id" else _value(name, kind, {} if makes_rows else rows, choices)
        )
        if function.is_keyword[name]:
            keywords[name] = value
        else:
            positional.append(value)
    return positional, keywords


def _offered(module: ModuleType) -> Iterable[StoreFunction]:
    for name, member in sorted(vars(module).items()):
        if name.startswith("_") or getattr(member, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(member):
            yield _described(f"{module.__name__}.{name}", member)
        elif inspect.isclass(member):
            for method, function in sorted(vars(member).items()):
                if inspect.isfunction(function) and (not method.startswith("_") or method == "__init__"):
                    yield _described(f"{module.__name__}.{name}.{method}", function, skip=1)


def _described(name: str, function: Callable[..., Any], skip: int = 0) -> StoreFunction:
    hints = typing.get_type_hints(inspect.unwrap(function))
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    return StoreFunction(
        name=name.removeprefix("tenancy.stores."),
        call=function,
        parameters={each.name: _plain(hints.get(each.name, object)) for each in parameters},
        defaults={each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty},
        is_keyword={each.name: each.kind is inspect.Parameter.KEYWORD_ONLY for each in parameters},
    )


def _plain(kind: Any) -> Any:  # noqa: ANN401
    return kind.__value__ if isinstance(kind, TypeAliasType) else kind


def _value(  # noqa: PLR0911 - one for each sort of type
    name: str, kind: object, rows: Mapping[str, str], choices: Mapping[str, tuple[str, ...]]
) -> Any:  # noqa: ANN401
    """Return a value for the parameter or field *name*: as wide as its type allows, so that much is found."""
    kind = _plain(kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in GENERIC:
        return GENERIC[origin](inner)
    if origin is tuple:
        return tuple(_value(name, each, rows, choices) for each in inner if each is not Ellipsis)
    if kind is UUID:
        return UUID(rows[_table(name, rows)]) if _table(name, rows) else uuid4()
    if kind is str and name in choices:
        return choices[name][0]
    if kind in PLAIN:
        return PLAIN[kind](name)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(choices[name][0]) if name in choices else next(iter(kind))
    if isinstance(kind, type) and is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        required = [each for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING]
        return kind(**{each.name: _value(each.name, hints[each.name], rows, choices) for each in required})
    raise NotImplementedError(f"Say in tests/isolation/proof/discovery/store_functions.py what a {kind} is made of.")


def _moment(name: str) -> datetime:
    return datetime.now(UTC) + timedelta(days=-MANY if name.startswith(EARLY) else 1)


GENERIC: dict[object, Callable[[tuple[Any, ...]], object]] = {
    types.UnionType: lambda _: None,
    typing.Union: lambda _: None,
    typing.Literal: lambda inner: inner[0],
    **dict.fromkeys((list, Sequence, Collection, Iterable, set, frozenset), lambda _: []),
    **dict.fromkeys((dict, Mapping), lambda _: {}),
}
PLAIN: dict[object, Callable[[str], object]] = {
    datetime: _moment,
    date: lambda name: _moment(name).date(),
    ApiKey: lambda _: generate_key(KeyType.SECRET),
    bool: lambda _: True,
    int: lambda name: 0 if name.startswith(EARLY) else MANY,
    bytes: lambda _: bytes(32),
    str: lambda name: f"{name}-{uuid4()}@x.example",
}


def _table(parameter: str, rows: Mapping[str, str]) -> str:
    noun = parameter.removesuffix("_id")
    return next((table for table in rows if f"_{table}".endswith(f"_{noun}s")), "")
