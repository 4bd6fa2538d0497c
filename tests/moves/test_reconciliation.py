"""After a restore from backups of different times, the newest copy becomes the home."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scripts.move import reconciliation
from scripts.move.__main__ import main
from scripts.move.databases import Connections, read_databases
from scripts.move.errors import MoveError
from scripts.move.reconciliation import reconcile_homes
from scripts.restore.backups import dump_postgres, restore_postgres
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.homes import RoutedDatabases
from tenancy.use_cases.restore.find_homes import ConflictingHomesError, FoundHomes, find_homes
from tests.moves.backups import REMOVE_MARK, Backup, move, read, replace
from tests.moves.leftovers import directory_of, homes_of, list_leftovers
from tests.moves.servers import MAIN, PASSWORD, SECOND, THIRD, Deployment
from tests.moves.traffic import Client, Organization, require_model

RESTORED = "tenancy_restored"
EARLY, LATE = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)

type Restored = Mapping[str, datetime]


class DiedError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def client(deployment: Deployment) -> Iterator[Client]:
    with Client.of(deployment).closing() as opened:
        yield opened


@pytest.fixture
def acme(deployment: Deployment) -> Iterator[Organization]:
    provisioned = Organization.provision(deployment[MAIN])
    yield provisioned
    forget(deployment, provisioned.id)


@pytest.fixture
def globex(deployment: Deployment) -> Iterator[Organization]:
    """Return an organization in the second database that no case changes."""
    provisioned = Organization.provision(deployment[MAIN])
    move(deployment, provisioned.id, MAIN, SECOND)
    yield provisioned
    assert list(homes_of(deployment, provisioned.id)) == [SECOND]
    assert directory_of(deployment, provisioned.id) == SECOND
    forget(deployment, provisioned.id)


def forget(deployment: Deployment, organization_id: UUID) -> None:
    """Remove the organization, so that other tests change nothing of this one."""
    for database in deployment:
        replace(database.superuser, organization_id, {})
        database.superuser.execute(REMOVE_MARK, (organization_id,))


def reconcile(deployment: Deployment, restored: Restored, kept: Mapping[UUID, str] | None = None) -> list[str]:
    lines: list[str] = []
    with deployment.connections() as connections:
        reconcile_homes(connections, restored, kept or {}, lines.append)
    return lines


def happen(
    deployment: Deployment, client: Client, acme: Organization, path: list[str], restored: Restored
) -> Organization:
    """Move acme along *path*, and restore some databases.

    Each database has a backup before and after the last move. Return acme as it was before the last move.
    """
    for source, target in pairwise(path[:-1]):
        move(deployment, acme.id, source, target)
    acme.report(client.functions, 1)
    early = dataclasses.replace(acme, reports=set(acme.reports))
    backups = {(name, EARLY): Backup.take(deployment, name, acme.id) for name in (MAIN, SECOND, THIRD)}
    move(deployment, acme.id, path[-2], path[-1])
    acme.report(client.functions, 1)
    backups |= {(name, LATE): Backup.take(deployment, name, acme.id) for name in (MAIN, SECOND, THIRD)}
    for name, time in restored.items():
        backups[name, time].restore(deployment)
    return early


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("path", "restored", "home"),
    [
        ([MAIN, SECOND], {MAIN: EARLY}, SECOND),
        ([MAIN, SECOND], {MAIN: EARLY, SECOND: LATE}, SECOND),
        ([MAIN, SECOND], {MAIN: EARLY, SECOND: EARLY}, MAIN),
        ([MAIN, SECOND], {SECOND: LATE}, SECOND),
        ([MAIN, SECOND, MAIN], {SECOND: EARLY}, MAIN),
        ([MAIN, SECOND, MAIN], {MAIN: LATE, SECOND: EARLY}, MAIN),
        ([MAIN, SECOND, THIRD], {MAIN: EARLY}, THIRD),
        ([MAIN, SECOND, THIRD], {SECOND: EARLY}, THIRD),
        ([MAIN, SECOND, THIRD], {MAIN: EARLY, SECOND: EARLY}, THIRD),
        ([MAIN, SECOND, THIRD], {SECOND: EARLY, THIRD: EARLY}, SECOND),
    ],
)
def test_newest_copy_is_the_home(
    deployment: Deployment,
    client: Client,
    signer: Signer,
    acme: Organization,
    globex: Organization,
    path: list[str],
    restored: Restored,
    home: str,
) -> None:
    early = happen(deployment, client, acme, path, restored)

    reconcile(deployment, restored)

    assert list(homes_of(deployment, acme.id)) == [home]
    assert directory_of(deployment, acme.id) == home
    assert find(client).names[acme.id] == home
    assert find(client).names[globex.id] == SECOND
    assert is_found(deployment, acme)
    require_model(deployment, acme if home == path[-1] else early, home, signer)
    assert list_leftovers(deployment) == []


@pytest.mark.parametrize("restored", [{SECOND: EARLY}, {MAIN: LATE, SECOND: EARLY}])
def test_organization_without_rows_is_named(
    deployment: Deployment, client: Client, acme: Organization, globex: Organization, restored: Restored
) -> None:
    happen(deployment, client, acme, [MAIN, SECOND], restored)

    lines = reconcile(deployment, restored)

    assert f'{acme.id}: no database has its rows. Before the restore its home was "{SECOND}".' in lines
    assert find(client) == FoundHomes(names=find(client).names, lost={acme.id: SECOND})
    assert globex.id in find(client).names


def test_beginning_of_a_copy_is_deleted_if_its_source_is_lost(
    deployment: Deployment, client: Client, acme: Organization, globex: Organization
) -> None:
    """The source is older than the organization, whose row the copy does not have yet."""
    move(deployment, acme.id, MAIN, SECOND, until="copied")
    parts = {name: rows for name, rows in read(deployment[SECOND].superuser, acme.id).items() if name == "users"}
    replace(deployment[SECOND].superuser, acme.id, parts)
    replace(deployment[MAIN].superuser, acme.id, {})

    lines = reconcile(deployment, {MAIN: EARLY})

    assert f'{acme.id}: no database has its rows. Before the restore its home was "{MAIN}".' in lines
    assert homes_of(deployment, acme.id) == {}
    assert find(client).lost == {acme.id: MAIN}
    assert globex.id in find(client).names
    assert list_leftovers(deployment) == []


def test_older_backup_restores_a_lost_organization(
    deployment: Deployment, client: Client, signer: Signer, acme: Organization, globex: Organization
) -> None:
    """The third database is the older backup of the first one."""
    stale = Backup.take(deployment, MAIN, acme.id)
    early = dataclasses.replace(acme, reports=set())
    happen(deployment, client, acme, [MAIN, SECOND], {SECOND: EARLY})
    stale.restore(deployment, THIRD)

    reconcile(deployment, {SECOND: EARLY, THIRD: EARLY})

    assert list(homes_of(deployment, acme.id)) == [THIRD]
    require_model(deployment, early, THIRD, signer)
    assert is_found(deployment, acme)
    assert find(client).names[globex.id] == SECOND


def test_restored_dump_of_the_catalogue_is_reconciled(
    deployment: Deployment, acme: Organization, globex: Organization, tmp_path: Path
) -> None:
    """The catalogue is restored beside the lost one, with pg_restore, and the second one is not."""
    urls = dict(read_databases(deployment.file))
    administrator = make_conninfo(urls[MAIN].administrator, dbname="tenancy")
    dump_postgres(url_of(administrator), tmp_path / "dump")
    move(deployment, acme.id, MAIN, SECOND)
    server = deployment[MAIN].superuser
    server.execute(f"CREATE DATABASE {RESTORED} OWNER tenancy_owner".encode())
    restore_postgres(url_of(make_conninfo(administrator, dbname=RESTORED)), tmp_path / "dump")
    owner = make_conninfo(urls[MAIN].owner, dbname=RESTORED)
    urls[MAIN] = dataclasses.replace(urls[MAIN], owner=owner, publisher=owner)
    found = FoundHomes(names={}, lost={})
    texts = {each.name: each.platform._url() for each in deployment}
    texts[MAIN] = make_conninfo(texts[MAIN], dbname=RESTORED)
    platform = RoutedDatabases(lambda: "\n".join(f"{name} {url}" for name, url in texts.items()))
    try:
        with pytest.raises(ConflictingHomesError):
            find_homes(platform)
        with Connections(urls, PASSWORD) as connections:
            reconcile_homes(connections, {MAIN: EARLY}, {}, print)
        found = find_homes(platform)
    finally:
        platform.close()
        server.execute(f"DROP DATABASE {RESTORED} WITH (FORCE)".encode())

    assert (found.names[acme.id], found.names[globex.id]) == (SECOND, SECOND)
    assert list(homes_of(deployment, acme.id)) == [SECOND]


@pytest.mark.parametrize("restored", [{MAIN: EARLY, SECOND: EARLY}, {THIRD: EARLY}])
def test_two_homes_of_one_time_are_refused_until_one_is_kept(
    deployment: Deployment, client: Client, acme: Organization, globex: Organization, restored: Restored
) -> None:
    happen(deployment, client, acme, [MAIN, SECOND], {MAIN: EARLY})

    with pytest.raises(ConflictingHomesError, match=f'{acme.id} has homes in the databases "main" and "second"'):
        find(client)
    with pytest.raises(MoveError, match=f'^{acme.id} has homes in "main" and "second".*--keep {acme.id}=NAME'):
        reconcile(deployment, restored)
    before = homes_of(deployment, acme.id)
    reconcile(deployment, restored, {acme.id: MAIN})

    assert list(before) == [MAIN, SECOND]
    assert list(homes_of(deployment, acme.id)) == [MAIN]
    assert find(client).names[acme.id] == MAIN
    assert find(client).names[globex.id] == SECOND


@pytest.mark.parametrize(
    ("until", "restored", "message"),
    [
        ("copied", {MAIN: EARLY}, 'to "second" may have been committed after the backup of "main"'),
        ("copied", {MAIN: EARLY, SECOND: LATE}, 'to "second" may have been committed after the backup of "main"'),
        ("committed", {SECOND: LATE}, "has no home. Its copy in .*main.* may be incomplete"),
    ],
)
def test_unfinished_move_is_refused_if_its_copy_may_be_the_home(
    deployment: Deployment, client: Client, acme: Organization, until: str, restored: Restored, message: str
) -> None:
    move(deployment, acme.id, MAIN, SECOND, until=until)

    with pytest.raises(ConflictingHomesError, match=f'A move of {acme.id} to the database "second" is unfinished'):
        find(client)
    with pytest.raises(MoveError, match=message):
        reconcile(deployment, restored)
    reconcile(deployment, restored, {acme.id: SECOND})

    assert list(homes_of(deployment, acme.id)) == [SECOND]
    assert find(client).names[acme.id] == SECOND
    assert list_leftovers(deployment) == []


@pytest.mark.parametrize(
    ("until", "restored", "home"),
    [
        ("copied", {SECOND: LATE}, MAIN),
        ("copied", {MAIN: LATE, SECOND: EARLY}, MAIN),
        ("copied", {THIRD: EARLY}, MAIN),
        ("committed", {THIRD: EARLY}, SECOND),
        ("committed", {MAIN: LATE}, SECOND),
    ],
)
def test_unfinished_move_keeps_the_copy_that_is_complete(
    deployment: Deployment, client: Client, acme: Organization, until: str, restored: Restored, home: str
) -> None:
    move(deployment, acme.id, MAIN, SECOND, until=until)

    reconcile(deployment, restored)

    assert list(homes_of(deployment, acme.id)) == [home]
    assert find(client).names[acme.id] == home
    assert list_leftovers(deployment) == []


def test_target_of_a_committed_move_is_newer_than_a_restored_home(
    deployment: Deployment, client: Client, signer: Signer, acme: Organization, globex: Organization
) -> None:
    early = Backup.take(deployment, MAIN, acme.id)
    move(deployment, acme.id, MAIN, SECOND)
    acme.report(client.functions, 1)
    move(deployment, acme.id, SECOND, THIRD, until="committed")
    early.restore(deployment)

    reconcile(deployment, {MAIN: EARLY})

    assert list(homes_of(deployment, acme.id)) == [THIRD]
    assert directory_of(deployment, acme.id) == THIRD
    require_model(deployment, acme, THIRD, signer)
    assert find(client).names[globex.id] == SECOND
    assert list_leftovers(deployment) == []


@pytest.mark.parametrize(
    ("until", "restored", "refused"),
    [
        ("copied", {MAIN: EARLY, SECOND: EARLY}, '"third"'),
        ("committed", {MAIN: EARLY, THIRD: LATE}, '"second" and "third"'),
        ("committed", {MAIN: EARLY, THIRD: EARLY}, '"second"'),
        ("opened", {MAIN: EARLY, THIRD: EARLY}, '"second"'),
    ],
)
def test_marked_copy_is_not_deleted_for_an_older_home(
    deployment: Deployment,
    client: Client,
    acme: Organization,
    globex: Organization,
    until: str,
    restored: Restored,
    refused: str,
) -> None:
    """A former home was restored. A later copy has a mark, and the database that it names lacks the rows or is old."""
    backups = [Backup.take(deployment, name, acme.id) for name, time in restored.items() if time == EARLY]
    move(deployment, acme.id, MAIN, SECOND)
    acme.report(client.functions, 1)
    move(deployment, acme.id, SECOND, THIRD, until=until)
    for backup in backups:
        backup.restore(deployment)
    before = {each.name: read(each.superuser, acme.id) for each in deployment}

    with pytest.raises(MoveError, match=f'^{acme.id} .* move to {refused} may .* after the backup of "main"\\.'):
        reconcile(deployment, restored)

    assert {each.name: read(each.superuser, acme.id) for each in deployment} == before
    assert list(homes_of(deployment, globex.id)) == [SECOND]


def test_copy_of_a_move_from_its_restored_home_and_back_is_kept(
    deployment: Deployment, client: Client, signer: Signer, acme: Organization, globex: Organization
) -> None:
    """The move back was opened and its source not yet emptied. The backup of the target is older than both moves."""
    first = Backup.take(deployment, MAIN, acme.id)
    move(deployment, acme.id, MAIN, SECOND)
    acme.report(client.functions, 1)
    move(deployment, acme.id, SECOND, MAIN, until="opened")
    first.restore(deployment)

    with pytest.raises(MoveError, match=f'^{acme.id} .* move to "second" may .* after the backup of "main"\\.'):
        reconcile(deployment, {MAIN: EARLY})
    reconcile(deployment, {MAIN: EARLY}, {acme.id: SECOND})

    assert list(homes_of(deployment, acme.id)) == [SECOND]
    require_model(deployment, acme, SECOND, signer)
    assert find(client).names[globex.id] == SECOND


def test_copy_of_a_move_before_the_backup_is_deleted(
    deployment: Deployment, client: Client, signer: Signer, acme: Organization, globex: Organization
) -> None:
    acme.report(client.functions, 1)
    move(deployment, acme.id, MAIN, SECOND, until="opened")

    reconcile(deployment, {SECOND: datetime.now(UTC)})

    assert list(homes_of(deployment, acme.id)) == [SECOND]
    require_model(deployment, acme, SECOND, signer)
    assert find(client).names[globex.id] == SECOND
    assert list_leftovers(deployment) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("call", ["put_mark", "put_home", "delete_rows", "delete_answers", "open_again"])
@pytest.mark.parametrize("until", ["end", "committed"])
def test_death_after_each_change_is_repaired_by_the_next_run(
    deployment: Deployment,
    client: Client,
    acme: Organization,
    globex: Organization,
    monkeypatch: pytest.MonkeyPatch,
    until: str,
    call: str,
) -> None:
    """The home is the second database: the first one was restored, or a move was not finished."""
    move(deployment, globex.id, SECOND, THIRD)
    stale = Backup.take(deployment, MAIN, acme.id)
    older = Backup.take(deployment, THIRD, globex.id)
    move(deployment, acme.id, MAIN, SECOND, until=until)
    move(deployment, globex.id, THIRD, SECOND)
    if until == "end":
        stale.restore(deployment)
    older.restore(deployment)
    with monkeypatch.context() as patch:
        patch.setattr(reconciliation, call, dying(getattr(reconciliation, call)))
        died = is_dying(deployment)

    reconcile(deployment, {MAIN: EARLY, THIRD: EARLY})

    assert died == (call != "open_again" or until == "committed")
    assert list(homes_of(deployment, acme.id)) == [SECOND]
    assert find(client).names[acme.id] == find(client).names[globex.id] == SECOND
    assert list_leftovers(deployment) == []


@pytest.mark.parametrize(
    ("path", "restored"), [([MAIN, SECOND, THIRD], {MAIN: EARLY}), ([MAIN, THIRD], {SECOND: EARLY})]
)
def test_file_without_a_database_of_a_copy_is_refused(
    deployment: Deployment,
    client: Client,
    acme: Organization,
    globex: Organization,
    path: list[str],
    restored: Restored,
) -> None:
    """A mark names the third database, or the directory does."""
    happen(deployment, client, acme, path, restored)
    before = {each.name: read(each.superuser, acme.id) for each in deployment}

    with pytest.raises(MoveError, match=r'lacks "third".* add --given-up third'):
        reconcile_without_third(deployment, restored)
    unchanged = {each.name: read(each.superuser, acme.id) for each in deployment}
    reconcile_without_third(deployment, restored, given_up=[THIRD])

    assert unchanged == before
    assert list(homes_of(deployment, acme.id)) == [THIRD]
    assert list(homes_of(deployment, globex.id)) == [SECOND]


def reconcile_without_third(deployment: Deployment, restored: Restored, given_up: Collection[str] = ()) -> None:
    urls = {name: each for name, each in read_databases(deployment.file).items() if name != THIRD}
    with Connections(urls, PASSWORD) as connections:
        reconcile_homes(connections, restored, {}, print, given_up=given_up)


def test_sequences_go_on_after_a_kept_copy(
    deployment: Deployment, client: Client, acme: Organization, globex: Organization
) -> None:
    """The copy was not committed, so no cut-over has advanced the sequence of the outbox."""
    deployment[MAIN].superuser.execute("SELECT setval('outbox_id_seq', 2000000)")
    acme.write(deployment[MAIN].platform, with_key=False)
    move(deployment, acme.id, MAIN, SECOND, until="copied")

    reconcile(deployment, {MAIN: EARLY}, {acme.id: SECOND})
    acme.write(deployment[SECOND].platform, with_key=False)

    [(highest,)] = deployment[SECOND].superuser.execute(
        "SELECT max(id) FROM outbox WHERE organization_id = %s", (acme.id,)
    )
    assert highest > 2_000_001
    assert find(client).names[globex.id] == SECOND


def test_unknown_names_are_refused(deployment: Deployment, acme: Organization) -> None:
    unknown = uuid4()

    with pytest.raises(MoveError, match='Unknown database "fourth"'):
        reconcile(deployment, {"fourth": EARLY})
    with pytest.raises(MoveError, match=f"No database knows {unknown}"):
        reconcile(deployment, {MAIN: EARLY}, {unknown: MAIN})
    with pytest.raises(MoveError, match=f'The database "third" does not have {acme.id}'):
        reconcile(deployment, {MAIN: EARLY}, {acme.id: THIRD})


def test_command_needs_a_time_with_a_zone(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["move", "reconcile", "--databases", str(deployment.file), "--restored"]

    monkeypatch.setattr("sys.argv", [*arguments, "main=2026-11-29T10:00:00"])
    with pytest.raises(SystemExit):
        main()
    monkeypatch.setattr("sys.argv", [*arguments, "main=2026-11-29T10:00:00Z"])

    assert main() == 0


def find(client: Client) -> FoundHomes:
    """Find the homes as a replay does."""
    return find_homes(client.platform)


def is_found(deployment: Deployment, organization: Organization) -> bool:
    """Tell whether a process that knows nothing yet finds the key of the organization."""
    with Client.of(deployment).closing() as client:
        return client.finds(organization.provisioned.secret_key)


def url_of(conninfo: str) -> str:
    """Return the connection string of the superuser as a URL, which pg_dump and pg_restore get."""
    parts = conninfo_to_dict(conninfo)
    return f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{parts['dbname']}"


def is_dying(deployment: Deployment) -> bool:
    try:
        reconcile(deployment, {MAIN: EARLY, THIRD: EARLY})
    except DiedError:
        return True
    return False


def dying(call: Callable[..., object]) -> Callable[..., object]:
    """Return *call* so that the process dies after it."""

    def die(*args: object) -> None:
        call(*args)
        raise DiedError

    return die
