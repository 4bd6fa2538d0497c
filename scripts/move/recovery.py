"""Complete or undo the moves of runs that ended early.

The databases alone have the state of a move. Its row `moved` in the source's `moved_organizations` is the commit.
Without that row the target's copy is deleted. With it, the remaining steps are run.
"""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from scripts.move.cut_over import Move, await_fence
from scripts.move.databases import Connection, Connections
from scripts.move.errors import MoveError
from scripts.move.homes import (
    Mark,
    find_mark,
    forward_moved,
    has_organization,
    list_unfinished,
    put_home,
    put_mark,
)
from scripts.move.replication import drop_publication, end_replication, list_publications
from scripts.move.roll_ups import open_target
from scripts.move.steps import MoveStep
from scripts.move.tables import delete_rows, list_tables
from scripts.move.unique_values import delete_answers
from tenancy.rules.homes import CATALOGUE, MOVE_PREFIX

MOVED: Final = "moved"


def recover(connections: Connections, say: Callable[[str], None]) -> frozenset[UUID]:
    """Complete the moves that are committed and undo all others. Return the organizations of the completed ones.

    The caller keeps other runs out.

    Raises:
        MoveError: the file lacks a database of such a move.
    """
    names = list(connections.databases)
    end_replication(connections, names)
    completed = set()
    for name in names:
        move_ids = [UUID(each.removeprefix(MOVE_PREFIX)) for each in list_publications(connections.mover(name))]
        for mark in list_unfinished(connections.mover(name), move_ids):
            move = _find_move(name, mark)
            _require_known(connections, move)
            await_fence(connections.mover(move.source), move.organization_id)
            if _is_committed(connections.mover(move.source), move):
                say(f"A move of {move.organization_id} was interrupted after its commit. It is completed.")
                finish(connections, move, say)
                completed.add(move.organization_id)
            elif mark.state != MOVED:
                say(f"A move of {move.organization_id} was interrupted before its commit. It is undone.")
                _undo(connections, move)
    for name in names:
        for publication in list_publications(connections.mover(name)):
            drop_publication(connections.owner(name), publication)
    return frozenset(completed)


def finish(connections: Connections, move: Move, say: Callable[[str], None]) -> None:
    """Do the steps after the commit. Idempotent.

    Raises:
        MoveError: the move is not committed, or the target lacks the organization. No row was deleted.
    """
    source, target = connections.mover(move.source), connections.mover(move.target)
    say(MoveStep.OPEN.line)
    open_target(source, target, move.organization_id, say)
    say(MoveStep.DIRECTORY.line)
    put_home(connections.mover(CATALOGUE), move.organization_id, move.target)
    for name in connections.databases:
        forward_moved(connections.mover(name), move.organization_id, move.target)
    say(MoveStep.DELETE.line)
    if not (_is_committed(source, move) and has_organization(target, move.organization_id)):
        raise MoveError(f'The database "{move.target}" lacks {move.organization_id}. The rows of the source were kept.')
    delete_rows(source, list_tables(source), move.organization_id)
    if move.source != CATALOGUE:
        delete_answers(source, move.organization_id)
    say(MoveStep.UNPUBLISH.line)
    drop_publication(connections.owner(move.source), move.name)
    say(MoveStep.DONE.line)


def _undo(connections: Connections, move: Move) -> None:
    """Delete the target's copy. The target's mark then leads a stale directory to the source."""
    target = connections.mover(move.target)
    delete_rows(target, list_tables(target), move.organization_id)
    put_mark(
        target,
        Mark(organization_id=move.organization_id, state=MOVED, other=move.source, move_id=move.move_id),
    )
    drop_publication(connections.owner(move.source), move.name)


def _find_move(name: str, mark: Mark) -> Move:
    """Return the move of *mark*, which is in the database *name*."""
    source, target = (name, mark.other) if mark.state == MOVED else (mark.other, name)
    return Move(organization_id=mark.organization_id, source=source, target=target, move_id=mark.move_id)


def _is_committed(source: Connection, move: Move) -> bool:
    mark = find_mark(source, move.organization_id)
    return mark is not None and (mark.state, mark.other, mark.move_id) == (MOVED, move.target, move.move_id)


def _require_known(connections: Connections, move: Move) -> None:
    for name in (move.source, move.target):
        if name not in connections.databases:
            raise MoveError(f'An interrupted move of {move.organization_id} needs the database "{name}". Add its URLs.')
