"""Admission: the round trip to Redis that precedes every request."""

import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from statistics import quantiles
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

from hiredis import Reader
from redis import Redis as Client

from scripts.bench.events import ORGANIZATION_ID
from scripts.bench.figure import Comparison, Effort, Figure, Goal, at_most
from scripts.bench.requests import MILLISECONDS
from scripts.bench.tenants import no_database, redis_knowing
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.tenant import CallerKind, RateBucket, Tenant
from tenancy.stores.redis.client import Redis, Script
from tenancy.stores.redis.connection import encode_command
from tenancy.use_cases.admission.admit import AdmissionGate

EVENTS: Final = 100
CALLS: Final = 1_000  # of each side in each round
OF_DRIVER: Final = 1.3
P99_MILLISECONDS: Final = 5
RECEIVE_BYTES: Final = 65_536
OURS, DRIVER, SOCKET = "ours", "redis-py", "socket"
TENANT: Final = Tenant(
    organization_id=ORGANIZATION_ID,
    subdomain="acme",
    scopes=PERMISSIONS,
    credential_id=uuid4(),
    kind=CallerKind.KEY,
    bucket=RateBucket.INGEST,
)

type Work = Callable[[], object]
type Sides = Mapping[str, Work]
type Rounds = Mapping[str, Sequence[Sequence[float]]]


def measure(effort: Effort) -> Figure:
    """Measure with the stack's Valkey, in a database of its own."""
    with redis_knowing(TENANT) as (redis, bare), _plain_socket(bare) as plain:
        sides = {
            "a request": _sides(0, redis, bare, plain),
            f"with {EVENTS} events": _sides(EVENTS, redis, bare, plain),
        }
        comparisons = [line for what, each in sides.items() for line in _compare(what, each, effort)]
        notes = [_describe_processor_time(what, each, effort) for what, each in sides.items()]
    return Figure(
        name="admission",
        unit="milliseconds by the clock, less is better",
        measured="AdmissionGate.admit of a tenant that Redis knows, in this process: one round trip that decides on "
        f"credential, rate limit and quotas. With {EVENTS} events, these are reserved as well. Valkey is the stack's "
        "and shares this machine; on AWS the network comes on top, for both.",
        reference="one bare EVALSHA of the same script with the same keys and arguments: with redis-py and hiredis, "
        "and over a plain socket, where the command is encoded beforehand and the answer is not parsed",
        comparisons=comparisons,
        notes=notes,
    )


def _sides(events: int, redis: Redis, bare: Client, plain: socket.socket) -> Sides:
    """Return the work of each side for a request with *events*."""
    gate = AdmissionGate(redis, no_database)

    def admit() -> None:
        admission = gate.admit(TENANT, events=events, now=datetime.now(UTC))
        if admission.verdict is not AdmissionVerdict.ADMITTED or admission.accepted != events:
            sys.exit(f"not admitted as a whole: {admission}")

    command = _command_of(redis, admit)
    arguments = _arguments_in(command)

    def over_socket() -> None:
        plain.sendall(command)
        plain.recv(RECEIVE_BYTES)

    return {
        OURS: admit,
        DRIVER: lambda: bare.execute_command(*arguments),  # type: ignore[no-untyped-call]
        SOCKET: over_socket,
    }


def _compare(what: str, sides: Sides, effort: Effort) -> Iterator[Comparison]:
    rounds = _measure_in_turn(sides, effort)
    yield _comparison(f"{what}, p50, {DRIVER}", rounds, DRIVER, 50, at_most(OF_DRIVER))
    yield _comparison(f"{what}, p50, {SOCKET}", rounds, SOCKET, 50)
    yield _comparison(f"{what}, p99, {SOCKET}", rounds, SOCKET, 99, at_most(P99_MILLISECONDS, of="measured"))


def _describe_processor_time(what: str, sides: Sides, effort: Effort) -> str:
    spent = {name: MILLISECONDS * effort.processor_seconds(work) for name, work in sides.items()}
    return f"Processor time of this process, {what}: " + ", ".join(
        f"{name} {milliseconds:.3f} ms" for name, milliseconds in spent.items()
    )


def _measure_in_turn(sides: Sides, effort: Effort) -> Rounds:
    """Return the milliseconds of each call of each side, by rounds.

    One call of each side follows the other, so that noise meets all sides alike.
    """
    calls = effort.size(CALLS, smallest=2)
    rounds: dict[str, list[list[float]]] = {name: [] for name in sides}
    for _ in range(effort.rounds):
        turns = [[_milliseconds(work) for work in sides.values()] for _ in range(calls)]
        for name, times in zip(sides, zip(*turns, strict=True), strict=True):
            rounds[name].append(list(times))
    return rounds


def _milliseconds(work: Work) -> float:
    started = perf_counter()
    work()
    return MILLISECONDS * (perf_counter() - started)


def _comparison(what: str, rounds: Rounds, reference: str, percent: int, *goals: Goal) -> Comparison:
    def of(side: str) -> list[float]:
        return [quantiles(times, n=100)[percent - 1] for times in rounds[side]]

    return Comparison(what=what, measured=of(OURS), reference=of(reference), goals=goals)


def _command_of(redis: Redis, admit: Work) -> bytes:
    """Return the command that *admit* sends."""
    commands: list[bytes] = []
    run = redis.run

    def recorded(script: Script, *call: Any) -> Any:  # noqa: ANN401 - as `run`
        keys, values, *constants = call
        commands.append(script.call((keys, values), *constants))
        return run(script, *call)

    vars(redis)["run"] = recorded
    admit()
    del vars(redis)["run"]
    [command] = commands
    return command


def _arguments_in(command: bytes) -> list[bytes]:
    reader = Reader()
    reader.feed(command)
    arguments: list[bytes] = reader.gets()
    return arguments


@contextmanager
def _plain_socket(bare: Client) -> Iterator[socket.socket]:
    """Yield a socket to the server and the database of *bare*."""
    server: dict[str, Any] = bare.connection_pool.connection_kwargs
    with closing(socket.create_connection((server["host"], server["port"]))) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for command in (["AUTH", server["password"]], ["SELECT", server["db"]]):
            plain.sendall(encode_command(command))
            if plain.recv(RECEIVE_BYTES) != b"+OK\r\n":
                sys.exit(f"Valkey refused {command[0]}")
        yield plain
