"""Find the home of each organization in databases that were restored from backups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tenancy.errors import DeploymentError
from tenancy.rules.register import RegisteredChanges, digest_of
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.organization_rows import has_copy
from tenancy.stores.postgres.platform.restored import list_organization_ids
from tenancy.stores.postgres.platform.restored_homes import Directory, Marked, list_marks, read_directory

NEXT_STEP: Final = (
    "If a database of PostgreSQL was restored, run: python -m scripts.move reconcile. Otherwise run: python -m"
    ' scripts.move complete. See docs/disaster-recovery.md, "Several databases".'
)


class ConflictingHomesError(DeploymentError):
    """The databases disagree on the home of an organization, and nothing was replayed."""

    def __init__(self, problem: str) -> None:
        """State the problem and the next step."""
        super().__init__(f"{problem} {NEXT_STEP}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHomes:
    """The homes of organizations, and the lost organizations.

    *names* maps each organization to its home. *lost* maps organizations without rows to the database that should have
    them.
    """

    names: Mapping[UUID, str]
    lost: Mapping[UUID, str]

    def is_in(self, name: str, organization_id: UUID | None) -> bool:
        """Tell whether the database *name* is the home of the organization."""
        return organization_id is not None and self.names.get(organization_id) == name


def find_homes(platform_db: Homes) -> FoundHomes:
    """Return the homes of all organizations, also of erased ones.

    A replay needs one home for each organization, and the directory must know it. Otherwise the replay would erase and
    revoke in one of two copies, and the other one would serve.

    Raises:
        ConflictingHomesError: an organization has several homes, another one than the directory has, or an unfinished
            move.
        UnavailableError: a database is unreachable.
    """
    names: dict[UUID, str] = {}
    marks: list[tuple[str, Marked]] = []
    for name, database in platform_db.by_name().items():
        with database.transaction() as conn:
            organization_ids = list_organization_ids(conn)
            marks += [(name, mark) for mark in list_marks(conn)]
        for organization_id in organization_ids:
            if (other := names.setdefault(organization_id, name)) != name:
                raise ConflictingHomesError(f'{organization_id} has homes in the databases "{other}" and "{name}".')
    if len(platform_db.every()) == 1:
        return FoundHomes(names=names, lost={})
    with platform_db.catalogue.transaction() as conn:
        directory = read_directory(conn)
    _require_no_move(marks)
    _require_known(directory, names)
    lost = {mark.organization_id: mark.other for _, mark in marks if mark.organization_id not in names}
    return FoundHomes(names=names, lost=lost)


def require_no_copies(platform_db: Homes, changes: RegisteredChanges) -> None:
    """Require that no mark hides rows of an organization whose rows the replay erases.

    A run that ended between the last two steps of a move leaves such a copy. An erasure would wait for its end.

    Raises:
        ConflictingHomesError: a mark hides rows.
        UnavailableError: a database is unreachable.
    """
    if len(platform_db.every()) == 1:
        return
    digests = changes.organizations | changes.subjects.keys()
    for name, database in platform_db.by_name().items():
        with database.transaction() as conn:
            marked = [mark.organization_id for mark in list_marks(conn)]
        for organization_id in marked:
            if digest_of(organization_id) in digests:
                with database.tenant_transaction(organization_id, is_snapshot=True, ignores_moves=True) as conn:
                    if has_copy(conn, organization_id):
                        raise ConflictingHomesError(f'"{name}" has a copy of {organization_id}, which has moved.')


def _require_no_move(marks: list[tuple[str, Marked]]) -> None:
    for name, mark in marks:
        if mark.is_incoming:
            raise ConflictingHomesError(f'A move of {mark.organization_id} to the database "{name}" is unfinished.')


def _require_known(directory: Directory, names: Mapping[UUID, str]) -> None:
    for organization_id, name in names.items():
        if (listed := directory.find_home(organization_id)) != name:
            raise ConflictingHomesError(
                f'{organization_id} is in the database "{name}", and in "{listed}" according to the directory.'
            )
