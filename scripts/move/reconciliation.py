"""Reconcile the homes of organizations in databases that were restored from backups.

The backups may have different times. A restored database may have organizations that have moved away since, or lack
those that have moved there. Each organization gets one home, the newest copy, and all other copies are deleted.
docs/disaster-recovery.md has the cases.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from scripts.move.access import movers_access, only_run
from scripts.move.checks import require_database
from scripts.move.cut_over import advance_sequences
from scripts.move.databases import Connections
from scripts.move.errors import MoveError
from scripts.move.homes import Mark, find_home, list_copies, list_databases, list_marks, put_home, put_mark
from scripts.move.recovery import MOVED
from scripts.move.replication import drop_publication, end_replication, list_publications
from scripts.move.roll_ups import open_again
from scripts.move.tables import delete_rows, list_tables
from scripts.move.unique_values import delete_answers
from tenancy.rules.homes import CATALOGUE

INCOMING: Final = "incoming"
NOT_RESTORED: Final = datetime.max.replace(tzinfo=UTC)  # such a database is newer than each backup
UNDECIDED: Final = (
    "{organization_id} has homes in {names}, and the times of --restored do not show which copy is newest. Nothing was"
    " changed. Add --keep {organization_id}=NAME with the database of the copy to keep."
)
INCOMPLETE: Final = (
    "{organization_id} has no home. Its copy in {names} may be incomplete or old. Nothing was changed. Add --keep"
    " {organization_id}=NAME with the database of the copy to keep, or first add an older backup of its former home as"
    " a further database."
)
OVERTAKEN: Final = (
    "{organization_id} has copies in {sources} and {targets}. A move to {targets} may have been committed after the"
    " backup of {sources}. Then the copy in {targets} is newer. Nothing was changed. Add --keep {organization_id}=NAME"
    " with the database of the copy to keep."
)
MISSING: Final = (
    'The file of databases lacks "{name}", which the directory or a mark of a move names. Nothing was changed. Add its'
    " URLs. If it is lost and has no backup, add --given-up {name}."
)

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An organization in the databases: those that have a *copy* of its row, and their *marks*."""

    organization_id: UUID
    copies: Sequence[str]
    marks: Mapping[str, Mark]

    @property
    def homes(self) -> list[str]:
        """The databases that are its home, as far as they know themselves."""
        return [name for name in self.copies if name not in self.marks]

    def committed(self, restored: Iterable[str]) -> list[str]:
        """Return the targets of committed moves that were not restored.

        Such a target has all rows, and is not open yet.
        """
        return [
            name
            for name, mark in self.marks.items()
            if mark.state == INCOMING
            and name in self.copies
            and name not in restored
            and (source := self.marks.get(mark.other)) is not None
            and (source.state, source.other, source.move_id) == (MOVED, name, mark.move_id)
        ]


def reconcile_homes(
    connections: Connections,
    restored: Mapping[str, datetime],
    kept: Mapping[UUID, str],
    say: Say,
    *,
    given_up: Collection[str] = (),
) -> None:
    """Give each organization one home, delete all other copies, and correct the directory.

    Idempotent. *restored* has the time of the backup of each database that was restored. *kept* has homes that the
    operator has chosen. Databases *given_up* are lost without a backup. No function may write meanwhile.

    Raises:
        MoveError: the home of an organization cannot be known, or the file of databases lacks one that may have a copy.
            Nothing was changed.
    """
    for name in (*restored, *kept.values()):
        require_database(connections, name)
    with only_run(connections), movers_access(connections):
        end_replication(connections, list(connections.databases))
        found = _find_all(connections)
        _require_all(connections, found, given_up)
        for organization_id in kept.keys() - {each.organization_id for each in found}:
            raise MoveError(f"No database knows {organization_id}. Nothing was changed.")
        chosen = [(each, _choose(each, restored, kept.get(each.organization_id))) for each in found]
        for each, home in chosen:
            if home is None:
                _report_lost(connections, each, say)
            else:
                _reconcile(connections, each, home, say)
        for name in connections.databases:
            for publication in list_publications(connections.mover(name)):
                drop_publication(connections.owner(name), publication)
    say("The homes are reconciled. Replay the register now.")


def _find_all(connections: Connections) -> list[Found]:
    copies: dict[UUID, list[str]] = {}
    marks: dict[UUID, dict[str, Mark]] = {}
    for name in connections.databases:
        for organization_id in list_copies(connections.mover(name)):
            copies.setdefault(organization_id, []).append(name)
        for mark in list_marks(connections.mover(name)):
            marks.setdefault(mark.organization_id, {})[name] = mark
    return [
        Found(organization_id=each, copies=copies.get(each, []), marks=marks.get(each, {}))
        for each in sorted(copies.keys() | marks.keys())
    ]


def _require_all(connections: Connections, found: Iterable[Found], given_up: Collection[str]) -> None:
    """Require each database that may have a copy. Without it an older copy would be chosen."""
    named = {mark.other for each in found for mark in each.marks.values()}
    for name in sorted(named.union(list_databases(connections.mover(CATALOGUE))) - {*connections.databases, *given_up}):
        raise MoveError(MISSING.format(name=name))


def _choose(found: Found, restored: Mapping[str, datetime], kept: str | None) -> str | None:
    """Return the home of the organization, or None if no database has a row of it.

    A database that has an organization without a mark was its home when the backup was made. A move copies all rows, so
    the latest of these copies has all rows of the earlier ones. The target of a committed move has all rows as well,
    although it is not open yet.
    """
    if kept is not None:
        if kept not in found.copies:
            raise MoveError(f'The database "{kept}" does not have {found.organization_id}. Nothing was changed.')
        return kept
    times = {name: restored.get(name, NOT_RESTORED) for name in (*found.copies, *found.marks)}
    homes = [*found.homes, *found.committed(restored)]
    newest = [name for name in homes if times[name] == max(times[each] for each in homes)]
    if newest and (later := _list_later(found, times, newest[0])):
        raise MoveError(
            OVERTAKEN.format(
                organization_id=found.organization_id, sources=_quoted(newest), targets=_quoted(sorted(later))
            )
        )
    if len(newest) == 1:
        return newest[0]
    if not found.copies:
        return None
    text, names = (UNDECIDED, newest) if newest else (INCOMPLETE, found.copies)
    raise MoveError(text.format(organization_id=found.organization_id, names=_quoted(names)))


def _list_later(found: Found, times: Mapping[str, datetime], home: str) -> list[str]:
    """Return the marked copies that may have rows which *home* lacks: their databases are later.

    A copy of a move to *home* has no such rows if the move was committed before the backup of *home*.
    """
    return [
        name
        for name, mark in found.marks.items()
        if name in found.copies
        and times[name] > times[home]
        and not (
            (mark.state, mark.other) == (MOVED, home)
            and mark.recorded_at is not None
            and mark.recorded_at <= times[home]
        )
    ]


def _reconcile(connections: Connections, found: Found, home: str, say: Say) -> None:
    """Make *home* the only home.

    If this run is interrupted, the next one chooses the same home.
    """
    organization_id, others = found.organization_id, [name for name in connections.databases if name != home]
    incoming = _delete_incoming(connections, found, others)
    for name in others:
        mark = found.marks.get(name)
        is_marked = mark is not None and (mark.state, mark.other) == (MOVED, home)
        if (name in found.copies or mark is not None) and not is_marked:
            put_mark(connections.mover(name), _mark(organization_id, MOVED, home))
    if home in found.marks:
        if found.marks[home].state == MOVED:
            put_mark(connections.mover(home), _mark(organization_id, INCOMING, home))
        advance_sequences(connections.mover(home), list_tables(connections.mover(home)), organization_id)
        open_again(connections.mover(home), organization_id, say)
    if find_home(connections.mover(CATALOGUE), organization_id) != home:
        put_home(connections.mover(CATALOGUE), organization_id, home)
        say(f'{organization_id}: the directory has "{home}" now.')
    stale = [name for name in others if name in found.copies and name not in incoming]
    for name in stale:  # its mark hides the rows, and the row of the organization is the last to go
        _delete_copy(connections, name, organization_id)
    if emptied := [*incoming, *stale]:
        say(f'{organization_id}: its home is "{home}". Its copy in {_quoted(emptied)} is deleted.')


def _report_lost(connections: Connections, found: Found, say: Say) -> None:
    """Report an organization that no database has, and delete rows of its unfinished copies."""
    names = _quoted(sorted({mark.other for mark in found.marks.values()}))
    for name in _delete_incoming(connections, found, list(connections.databases)):
        put_mark(connections.mover(name), _mark(found.organization_id, MOVED, found.marks[name].other))
    say(f"{found.organization_id}: no database has its rows. Before the restore its home was {names}.")


def _delete_incoming(connections: Connections, found: Found, names: Sequence[str]) -> list[str]:
    """Delete the copies of moves in the databases *names*, and return those that had one.

    The marks of these copies are changed later, because a copy may have rows before it has the row of the organization.
    """
    incoming = [name for name in names if name in found.marks and found.marks[name].state == INCOMING]
    for name in incoming:
        _delete_copy(connections, name, found.organization_id)
    return incoming


def _delete_copy(connections: Connections, name: str, organization_id: UUID) -> None:
    conn = connections.mover(name)
    delete_rows(conn, list_tables(conn), organization_id)
    if name != CATALOGUE:
        delete_answers(conn, organization_id)


def _mark(organization_id: UUID, state: str, other: str) -> Mark:
    return Mark(organization_id=organization_id, state=state, other=other, move_id=uuid4())


def _quoted(names: Iterable[str]) -> str:
    return " and ".join(f'"{name}"' for name in names)
