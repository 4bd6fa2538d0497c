"""The functions in one process tree, with a queue for each and without API Gateway.

A function has so many processes, as many as Lambda would run at once at most. A request waits for a free one, first
come, first served.
"""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from scripts.bench import ROOT

LONGEST_LINE: Final = 2**24
END_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAnswer:
    """An answer with its *status* and *body*, and where its time went, in seconds."""

    status: int
    body: str
    waited: float
    seconds: float
    busy: int

    @property
    def latency(self) -> float:
        """Return the seconds from the arrival of the request to its answer."""
        return self.waited + self.seconds


def line_of(request: Mapping[str, Any]) -> bytes:
    """Return *request* in the form in which a process of a function reads it."""
    return msgspec.json.encode(request) + b"\n"


class Workers:
    """The processes of one function."""

    def __init__(self, processes: Sequence[Process]) -> None:
        """Start with all of them free."""
        self._count = len(processes)
        self._free: asyncio.Queue[Process] = asyncio.Queue()
        for process in processes:
            self._free.put_nowait(process)

    async def call(self, line: bytes) -> LocalAnswer:
        """Return the answer to a request, a *line* of `line_of`, after waiting for a free process."""
        arrived = time.perf_counter()
        process = await self._free.get()
        busy = self._count - self._free.qsize()
        started = time.perf_counter()
        try:
            answer = msgspec.json.decode(await _exchange(process, line))
        finally:
            self._free.put_nowait(process)
        ended = time.perf_counter()
        return LocalAnswer(
            status=answer["status"],
            body=answer["body"] or "",
            waited=started - arrived,
            seconds=ended - started,
            busy=busy,
        )


@dataclass(slots=True, kw_only=True)
class LoadedBatch:
    """A batch that load has inserted: its messages, its seconds, and the sum of the messages' ages."""

    messages: int
    seconds: float
    ages: float


@dataclass(slots=True, kw_only=True)
class LocalPlatform:
    """The running functions by name, and the batches that load has inserted so far."""

    functions: Mapping[str, Workers]
    loaded: list[LoadedBatch] = field(default_factory=list)
    _loaders: list[tuple[Process, asyncio.Task[None]]] = field(default_factory=list)

    async def drain(self) -> None:
        """Wait until the queue is empty and load has ended."""
        for process, _ in self._loaders:
            assert process.stdin  # noqa: S101 - for the type checkers: it is a pipe
            process.stdin.close()
        for process, reader in self._loaders:
            await reader
            if await process.wait():
                sys.exit("load has failed")
        self._loaders.clear()

    async def add_loader(self, process: Process) -> None:
        """Keep the reports of a process of load."""
        self._loaders.append((process, asyncio.create_task(self._read_reports(process))))

    async def _read_reports(self, process: Process) -> None:
        assert process.stdout  # noqa: S101 - for the type checkers: it is a pipe
        async for line in process.stdout:
            self.loaded.append(msgspec.json.decode(line, type=LoadedBatch))


@asynccontextmanager
async def local_platform(
    aws_url: str, processes: Mapping[str, int], *, loaders: int = 1
) -> AsyncIterator[LocalPlatform]:
    """Yield the platform with so many *processes* of each function, and *loaders* of load, until the block ends.

    AWS is at *aws_url*, as `local_aws` yields it.
    """
    async with AsyncExitStack() as stack:
        functions = {
            name: Workers([await _started(stack, "function_worker", name, aws_url) for _ in range(number)])
            for name, number in processes.items()
        }
        platform = LocalPlatform(functions=functions)
        for _ in range(loaders):
            await platform.add_loader(await _started(stack, "load_worker", aws_url))
        yield platform


async def _started(stack: AsyncExitStack, module: str, *arguments: str) -> Process:
    command = (sys.executable, "-m", f"scripts.bench.{module}", *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE)
    stack.push_async_callback(_end, process)
    assert process.stdout  # noqa: S101 - for the type checkers: it is a pipe
    if await process.stdout.readline() != b"ready\n":
        sys.exit(f"{module} {arguments[0]} did not start")
    return process


async def _exchange(process: Process, line: bytes) -> bytes:
    assert process.stdin  # noqa: S101 - for the type checkers: it is a pipe
    assert process.stdout  # noqa: S101 - the same
    process.stdin.write(line)
    answer = await process.stdout.readline()
    if not answer:
        sys.exit("a function has ended")
    return answer


async def _end(process: Process) -> None:
    """End *process* by its input, and by a signal if that takes too long."""
    if process.returncode is not None:
        return
    assert process.stdin  # noqa: S101 - for the type checkers: it is a pipe
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        process.terminate()
        await process.wait()
