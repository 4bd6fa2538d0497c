"""Public functions of the stores, and arguments made from their signatures."""

import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from itertools import islice
from types import ModuleType
from typing import Any, TypeAliasType
from uuid import UUID, uuid4

import psycopg
from clickhouse_connect.driver.client import Client

import tenancy.stores
from tenancy.rules.keys.api_keys import ApiKey, KeyType, generate_key
from tenancy.rules.stored_events import END_OF_EVENT_TIMES, FIRST_EVENT_TIME, MAX_SECOND, EventKey, ReceivedPosition
from tenancy.stores.clickhouse.received_events import Window
from tenancy.stores.redis.client import Redis

LOWER_BOUNDS = ("start", "since", "from", "after", "first")  # prefixes of parameters that begin a range
LARGE = 100  # days of a wide period, and the number for a limit
OWN_ID = 2  # position of the id of an inserted row: after the connection and the organization
MANY_ROWS = 10**9  # more than all organizations have

type Arguments = tuple[list[Any], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFunction:
    """A function or a public method.

    *parameters* has their types by name, without *self*.
    """

    name: str
    call: Callable[..., Any]
    parameters: Mapping[str, Any]
    defaults: Mapping[str, Any]
    is_keyword: Mapping[str, bool]

    @property
    def takes_organization_id(self) -> bool:
        """Whether the first parameter is a connection, and the second one is the organization's id."""
        parameters = list(self.parameters.items())
        return bool(parameters) and is_connection(parameters[0][1]) and parameters[1:2] == [("organization_id", UUID)]


def discover_store_functions() -> list[StoreFunction]:
    """Return the functions of the stores outside the platform packages."""
    return [function for module in _modules() if ".platform" not in module.__name__ for function in _public(module)]


def count_platform_functions() -> int:
    return sum(len(list(_public(module))) for module in _modules() if ".platform." in module.__name__)


def uses_connection(function: StoreFunction) -> bool:
    """Whether one of the parameters is a driver's connection."""
    return any(is_connection(kind) for kind in function.parameters.values())


def is_connection(kind: object) -> bool:
    return any(_is_subclass(kind, driver) for driver in (psycopg.Connection, Client, Redis))


def takes_first(function: StoreFunction, kind: type) -> bool:
    """Whether the first parameter is of type *kind*."""
    return _is_subclass(next(iter(function.parameters.values()), None), kind)


def arguments_for(
    function: StoreFunction,
    organization_id: UUID,
    row_ids: Mapping[str, str],
    allowed_values: Mapping[str, tuple[str, ...]],
    domain: str | None = None,
) -> Arguments:
    """Return the arguments after the connection, positional and by keyword.

    They are as wide as the types allow, so that a call finds much: *row_ids* for ids, *domain* for the name of a
    domain, long periods, high limits. Calls that insert get a new id as the one after the organization's.
    """
    positional, keywords = [], {}
    inserts = function.name.rpartition(".")[2].startswith("insert_")
    own_id = next(islice(function.parameters, OWN_ID, None), "")
    for name, kind in list(function.parameters.items())[1:]:
        if name in function.defaults and inserts:
            continue
        ids = {} if inserts and name == own_id else row_ids
        value = organization_id if name == "organization_id" else _value(name, kind, ids, allowed_values)
        value = domain if name == "domain" and domain is not None and not inserts else value
        if function.is_keyword[name]:
            keywords[name] = value
        else:
            positional.append(value)
    return positional, keywords


def _modules() -> list[ModuleType]:
    walked = pkgutil.walk_packages(tenancy.stores.__path__, "tenancy.stores.")
    return [importlib.import_module(info.name) for info in walked]


def _public(module: ModuleType) -> Iterable[StoreFunction]:
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
        parameters={each.name: _unaliased(hints.get(each.name, object)) for each in parameters},
        defaults={each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty},
        is_keyword={each.name: each.kind is inspect.Parameter.KEYWORD_ONLY for each in parameters},
    )


def _is_subclass(kind: object, wanted: type) -> bool:
    origin = typing.get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, wanted)


def _unaliased(kind: Any) -> Any:  # noqa: ANN401
    return kind.__value__ if isinstance(kind, TypeAliasType) else kind


def _value(  # noqa: PLR0911 - one for each kind of type
    name: str, kind: object, row_ids: Mapping[str, str], allowed_values: Mapping[str, tuple[str, ...]]
) -> Any:  # noqa: ANN401
    """Return a value for the parameter or field *name* of type *kind*."""
    kind = _unaliased(kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in GENERIC_VALUES:
        return GENERIC_VALUES[origin](inner)
    if origin is tuple:
        return tuple(_value(name, each, row_ids, allowed_values) for each in inner if each is not Ellipsis)
    if kind is UUID:
        table = _table_of(name, row_ids)
        return UUID(row_ids[table]) if table else uuid4()
    if kind is str and name in allowed_values:
        return allowed_values[name][0]
    if kind in PLAIN_VALUES:
        return PLAIN_VALUES[kind](name)
    if isinstance(kind, type) and issubclass(kind, Enum):
        allowed = [each for each in kind if each.value in allowed_values.get(name, ())]
        return next(iter([*allowed, *kind]))
    if isinstance(kind, type) and is_dataclass(kind):
        kind = next(reversed(kind.__subclasses__()), kind)  # a base has no value of its own
        hints = typing.get_type_hints(kind)
        required = [
            each for each in fields(kind) if each.init and each.default is MISSING and each.default_factory is MISSING
        ]
        return kind(**{each.name: _value(each.name, hints[each.name], row_ids, allowed_values) for each in required})
    raise NotImplementedError(f"Add a value for parameters of type {kind} to {__file__}.")


def _time(name: str) -> datetime:
    return datetime.now(UTC) + timedelta(days=-LARGE if name.startswith(LOWER_BOUNDS) else 1)


GENERIC_VALUES: dict[object, Callable[[tuple[Any, ...]], object]] = {
    types.UnionType: lambda _: None,
    typing.Union: lambda _: None,
    typing.Literal: lambda inner: inner[0],
    **dict.fromkeys((list, Sequence, Collection, Iterable, set, frozenset), lambda _: []),
    **dict.fromkeys((dict, Mapping), lambda _: {}),
}
PLAIN_VALUES: dict[object, Callable[[str], object]] = {
    datetime: _time,
    date: lambda name: _time(name).date(),
    ApiKey: lambda _: generate_key(KeyType.SECRET),
    EventKey: lambda _: EventKey(END_OF_EVENT_TIMES, "", ""),
    ReceivedPosition: lambda _: ReceivedPosition.start_of(0),
    Window: lambda _: Window(
        start_second=0, end_second=MAX_SECOND, start_time=FIRST_EVENT_TIME, last_time=END_OF_EVENT_TIMES
    ),
    bool: lambda _: True,
    int: lambda name: 0 if name.startswith(LOWER_BOUNDS) else MANY_ROWS if name == "max_rows" else LARGE,
    bytes: lambda _: bytes(32),
    str: lambda name: f"{name}-{uuid4()}@x.example",
}


def _table_of(parameter: str, tables: Iterable[str]) -> str:
    """Return the table whose id *parameter* is, empty if there is none."""
    noun = parameter.removesuffix("_id")
    return next((table for table in tables if f"_{table}".endswith(f"_{noun}s")), "")
