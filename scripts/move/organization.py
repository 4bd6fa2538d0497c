"""Move an organization, or all organizations of a bucket, to another database."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID, uuid4

import psycopg

from scripts.move.access import movers_access, only_run
from scripts.move.checks import find_source, list_versions, require_database, require_empty, require_ready
from scripts.move.cut_over import Move, cut_over
from scripts.move.databases import Connections
from scripts.move.errors import MoveError
from scripts.move.homes import Mark, list_bucket, put_bucket_home, put_mark
from scripts.move.recovery import finish, recover
from scripts.move.replication import (
    await_catch_up,
    await_copy,
    create_publication,
    create_slot,
    create_subscription,
)
from scripts.move.steps import MoveStep
from scripts.move.tables import Table
from scripts.move.unique_values import enter_values
from tenancy.rules.homes import BUCKETS, CATALOGUE

PIN_SECONDS: Final = 1.0

type Say = Callable[[str], None]


def move_organization(
    connections: Connections, organization_id: UUID, target: str, say: Say, *, fence_seconds: int
) -> None:
    """Move the organization to the database *target*, and complete or undo interrupted moves first.

    Raises:
        MoveError: the move was refused or stopped. The next run completes it if it is committed, and else undoes it.
    """
    require_database(connections, target)
    with only_run(connections), movers_access(connections):
        completed = recover(connections, say)
        source = find_source(connections, organization_id)
        if source == target:
            if organization_id in completed:
                return
            raise MoveError(f'{organization_id} is in "{target}" already.')
        _move(connections, organization_id, source, target, say, fence_seconds=fence_seconds)


def move_bucket(
    connections: Connections, bucket: int, target: str, say: Say, *, fence_seconds: int, grace_seconds: float
) -> None:
    """Let new organizations of *bucket* go to the database *target*, and move all that it has.

    A request that read the old directory may still provision an organization elsewhere. So for *grace_seconds*, once a
    second, new organizations are pinned to their present home. The same command continues an interrupted run.

    Raises:
        MoveError: a move was refused or stopped. The moves before it are complete.
    """
    if bucket not in range(BUCKETS):
        raise MoveError(f"Unknown bucket {bucket}. Buckets have the numbers 0 to {BUCKETS - 1}.")
    require_database(connections, target)
    with only_run(connections), movers_access(connections):
        recover(connections, say)
        for source in connections.databases:
            if source != target:
                require_ready(connections, source, target)
        _pin(connections, bucket, target)
        say(f'New organizations of bucket {bucket} go to "{target}".')
        deadline = time.monotonic() + grace_seconds
        while time.monotonic() < deadline:
            time.sleep(PIN_SECONDS)
            _pin(connections, bucket, target)
        _move_present(connections, bucket, target, say, fence_seconds=fence_seconds)
        say(f'Bucket {bucket} is in "{target}".')


def complete_moves(connections: Connections, say: Say) -> None:
    """Complete or undo interrupted moves, and begin none.

    Raises:
        MoveError: another run is under way, or a database is unreachable.
    """
    with only_run(connections), movers_access(connections):
        recover(connections, say)


def _move(
    connections: Connections, organization_id: UUID, source: str, target: str, say: Say, *, fence_seconds: int
) -> None:
    versions = list_versions(connections.owner(source))
    tables = require_ready(connections, source, target)
    require_empty(connections.mover(target), target, tables, organization_id)
    say(f'{organization_id}: from "{source}" to "{target}"')
    move = Move(organization_id=organization_id, source=source, target=target, move_id=uuid4(), versions=versions)
    is_complete = False
    try:
        _copy(connections, move, tables, say)
        cut_over(connections, move, tables, say, fence_seconds=fence_seconds)
        finish(connections, move, say)
        is_complete = True
    finally:
        if not is_complete:
            with suppress(MoveError, psycopg.Error):
                recover(connections, say)


def _copy(connections: Connections, move: Move, tables: Sequence[Table], say: Say) -> None:
    """Copy the rows, and apply changes until the target is close behind the source."""
    source, target = connections.mover(move.source), connections.mover(move.target)
    owner = connections.owner(move.source)
    enter_values(connections, move.source, move.organization_id)
    say(MoveStep.INCOMING.line)
    put_mark(
        target,
        Mark(organization_id=move.organization_id, state="incoming", other=move.source, move_id=move.move_id),
    )
    say(MoveStep.PUBLISH.line)
    create_publication(owner, move.name, tables, move.organization_id)
    say(MoveStep.SLOT.line)
    create_slot(source, move.name)
    say(MoveStep.COPY.line)
    create_subscription(target, move.name, connections.publisher(move.source))
    await_copy(target, move.name, say)
    say(MoveStep.CATCH_UP.line)
    await_catch_up(source, target, move.name)


def _pin(connections: Connections, bucket: int, target: str) -> None:
    """Change the home of *bucket*, and in the same transaction pin its organizations to their homes."""
    present = [
        (organization_id, name)
        for name in connections.databases
        for organization_id in list_bucket(connections.mover(name), bucket)
    ]
    put_bucket_home(connections.mover(CATALOGUE), bucket, target, present)


def _move_present(connections: Connections, bucket: int, target: str, say: Say, *, fence_seconds: int) -> None:
    for source in connections.databases:
        if source == target:
            continue
        _pin(connections, bucket, target)
        for organization_id in list_bucket(connections.mover(source), bucket):
            _move(connections, organization_id, source, target, say, fence_seconds=fence_seconds)
