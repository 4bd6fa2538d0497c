"""A move that cannot succeed is refused in one sentence, and changes nothing."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from scripts.move.__main__ import describe
from scripts.move.databases import read_databases
from scripts.move.errors import MoveError
from scripts.move.organization import complete_moves, move_bucket, move_organization
from scripts.move.steps import MoveStep
from tests.fast_servers import fast_folder
from tests.moves.leftovers import homes_of, list_leftovers
from tests.moves.runs import run
from tests.moves.servers import MAIN, OPTIONS, SECOND, Deployment, running_deployment
from tests.moves.traffic import Organization

FENCE_SECONDS = 30
PLATFORM = UUID(int=0)  # the audit log of the platform
FILL_OUTBOX = """
    INSERT INTO outbox (organization_id, kind, payload, due_at)
    SELECT %s, 'welcome_mail', '{}', now() FROM generate_series(1, 100000)
"""
NEXT_MIGRATION = "INSERT INTO schema_migrations (version, name, digest) VALUES (9999, 'later', 'digest')"


@pytest.fixture
def acme(deployment: Deployment) -> Iterator[Organization]:
    """Return an organization of `main`, which the test must leave there with nothing left of a move."""
    organization = Organization.provision(deployment[MAIN])
    yield organization
    assert list(homes_of(deployment, organization.id)) == [MAIN]
    assert list_leftovers(deployment) == []


def refusal(deployment: Deployment, organization_id: UUID, target: str) -> str:
    with deployment.connections() as connections, pytest.raises(MoveError) as refused:
        move_organization(connections, organization_id, target, print, fence_seconds=FENCE_SECONDS)
    return str(refused.value)


def test_unknown_database_is_refused(deployment: Deployment, acme: Organization) -> None:
    assert refusal(deployment, acme.id, "fourth") == (
        'Unknown database "fourth". The file of databases has: main, second, third.'
    )


@pytest.mark.parametrize("organization_id", [uuid4(), PLATFORM])
def test_unknown_organization_is_refused(deployment: Deployment, organization_id: UUID) -> None:
    assert refusal(deployment, organization_id, SECOND).startswith(f"Unknown organization {organization_id}.")
    assert list_leftovers(deployment) == []


def test_move_to_the_home_is_refused(deployment: Deployment, acme: Organization) -> None:
    assert refusal(deployment, acme.id, MAIN) == f'{acme.id} is in "main" already.'


def test_unknown_bucket_is_refused(deployment: Deployment) -> None:
    with deployment.connections() as connections, pytest.raises(MoveError, match=r"^Unknown bucket 1024\."):
        move_bucket(connections, 1024, SECOND, print, fence_seconds=FENCE_SECONDS, grace_seconds=0)


def test_second_run_at_the_same_time_is_refused(deployment: Deployment, acme: Organization) -> None:
    def second_run(_line: str) -> None:
        refusals.append(refusal(deployment, acme.id, SECOND))
        raise MoveError("the first run stops")

    refusals: list[str] = []
    with deployment.connections() as connections, pytest.raises(MoveError, match="the first run stops"):
        move_organization(connections, acme.id, SECOND, second_run, fence_seconds=FENCE_SECONDS)

    assert set(refusals) == {"Another move is under way. One runs at a time. Try again when it has ended."}


def test_target_with_an_older_schema_is_refused(deployment: Deployment, acme: Organization) -> None:
    deployment[MAIN].superuser.execute(NEXT_MIGRATION)
    try:
        answer = refusal(deployment, acme.id, SECOND)
    finally:
        deployment[MAIN].superuser.execute("DELETE FROM schema_migrations WHERE version = 9999")

    assert answer.startswith('The schema of "main" is at migration 9999, that of "second" at ')


@pytest.mark.parametrize(
    ("change", "undo"),
    [
        ("ALTER TABLE apps ADD COLUMN later integer", "ALTER TABLE apps DROP COLUMN later"),
        (NEXT_MIGRATION, "DELETE FROM schema_migrations WHERE version = 9999"),  # of a unique key, for example
    ],
)
def test_migration_during_the_copy_undoes_the_move(
    deployment: Deployment, acme: Organization, change: str, undo: str
) -> None:
    def migrate(line: str) -> None:
        if line == MoveStep.FENCE.line:
            for each in deployment:
                each.superuser.execute(change.encode())

    try:
        with deployment.connections() as connections, pytest.raises(MoveError) as refused:
            move_organization(connections, acme.id, SECOND, migrate, fence_seconds=FENCE_SECONDS)
    finally:
        for each in deployment:
            each.superuser.execute(undo.encode())

    assert str(refused.value) == 'The tables of "main" changed during the copy. Run the same command again.'


def test_value_of_another_organization_in_the_catalogue_is_refused(deployment: Deployment, acme: Organization) -> None:
    statement, other = "INSERT INTO catalogue_entries VALUES (%s, 'subdomain', %s, now())", uuid4()
    deployment[MAIN].superuser.execute(statement, (other, acme.provisioned.organization.subdomain))
    try:
        answer = refusal(deployment, acme.id, SECOND)
    finally:
        deployment[MAIN].superuser.execute("DELETE FROM catalogue_entries WHERE organization_id = %s", (other,))

    assert answer == (
        f"The organization {other} has just claimed a subdomain of {acme.id}. Run the same command again in 20 minutes."
    )


def test_table_without_the_organization_in_its_key_is_refused(deployment: Deployment, acme: Organization) -> None:
    for each in deployment:
        each.superuser.execute("CREATE TABLE keyless (id integer PRIMARY KEY, organization_id uuid NOT NULL)")
        each.superuser.execute("ALTER TABLE keyless OWNER TO tenancy_owner")
    try:
        answer = refusal(deployment, acme.id, SECOND)
    finally:
        for each in deployment:
            each.superuser.execute("DROP TABLE keyless")

    assert answer == "The replica identity of these tables lacks the organization: keyless."


def test_target_with_rows_of_the_organization_is_refused(deployment: Deployment, acme: Organization) -> None:
    statement = "INSERT INTO audit_heads (organization_id, sequence, seal) VALUES (%s, 1, sha256(''))"
    deployment[SECOND].superuser.execute(statement, (acme.id,))
    try:
        answer = refusal(deployment, acme.id, SECOND)
    finally:
        deployment[SECOND].superuser.execute("DELETE FROM audit_heads WHERE organization_id = %s", (acme.id,))

    assert answer == f'The database "second" has rows of {acme.id} already: audit_heads.'


def test_role_without_a_power_is_refused(deployment: Deployment, acme: Organization) -> None:
    deployment[SECOND].superuser.execute("ALTER ROLE tenancy_mover NOBYPASSRLS")
    try:
        answer = refusal(deployment, acme.id, SECOND)
    finally:
        deployment[SECOND].superuser.execute("ALTER ROLE tenancy_mover BYPASSRLS")

    assert answer.startswith('The role tenancy_mover is missing in "second" or lacks BYPASSRLS.')


def test_difference_between_both_sides_undoes_the_move(deployment: Deployment, acme: Organization) -> None:
    def change_the_copy(line: str) -> None:
        if "Compare" in line:
            deployment[SECOND].superuser.execute(
                "UPDATE users SET role = 'viewer' WHERE organization_id = %s", (acme.id,)
            )

    with deployment.connections() as connections, pytest.raises(MoveError) as refused:
        move_organization(connections, acme.id, SECOND, change_the_copy, fence_seconds=FENCE_SECONDS)

    assert str(refused.value).startswith("These tables differ between source and target: users (1 and 1 rows).")


@pytest.mark.parametrize("pause", [0.9, 1.5])  # PostgreSQL ends a transaction that is idle for a second
def test_comparison_beyond_the_time_of_the_fence_is_undone(
    deployment: Deployment, acme: Organization, pause: float
) -> None:
    def wait_inside_the_fence(line: str) -> None:
        if "Compare" in line:
            time.sleep(pause)

    with deployment.connections() as connections, pytest.raises(MoveError) as refused:
        deployment[MAIN].superuser.execute(FILL_OUTBOX, (acme.id,))
        move_organization(connections, acme.id, SECOND, wait_inside_the_fence, fence_seconds=1)

    assert str(refused.value) == "The fence was closed for more than 1 s. Raise --fence-seconds."


def test_move_without_its_replication_tries_no_second_time(deployment: Deployment, acme: Organization) -> None:
    lines: list[str] = []
    with ExitStack() as other, deployment.connections() as connections, pytest.raises(MoveError) as refused:

        def lock_the_marks(line: str) -> None:
            lines.append(line)
            if line == MoveStep.COMMIT.line:
                other.enter_context(deployment[MAIN].superuser.transaction())
                deployment[MAIN].superuser.execute("LOCK TABLE moved_organizations IN SHARE MODE")

        move_organization(connections, acme.id, SECOND, lock_the_marks, fence_seconds=FENCE_SECONDS)

    assert str(refused.value) == (
        "A database lock was not free in time while the fence was closed. The move was not committed. Run the same"
        " command again."
    )
    assert lines.count(MoveStep.FENCE.line) == 1


def test_fence_gives_way_to_a_long_transaction(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    lines: list[str] = []

    with ExitStack() as long, deployment.connections() as connections:
        long.enter_context(deployment[MAIN].platform.transaction())

        def end_it_at_the_third_attempt(line: str) -> None:
            lines.append(line)
            if sum("Close the fence" in each for each in lines) == 3:
                long.close()

        move_organization(connections, acme.id, SECOND, end_it_at_the_third_attempt, fence_seconds=FENCE_SECONDS)

    assert list(homes_of(deployment, acme.id)) == [SECOND]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wal_level": "replica"}, 'wal_level of "main" is replica, and a move needs logical.'),
        ({"max_replication_slots": "2"}, '"main" has 2 free replication slots, and a move needs 3.'),
    ],
)
def test_server_that_cannot_replicate_is_refused(options: dict[str, str], message: str) -> None:
    with running_deployment(fast_folder(), {**OPTIONS, **options}) as deployment:
        acme = Organization.provision(deployment[MAIN])

        answer = refusal(deployment, acme.id, SECOND)

        assert answer.startswith(message)
        assert list(homes_of(deployment, acme.id)) == [MAIN]
        assert list_leftovers(deployment) == []


def test_command_line_explains_a_refusal(deployment: Deployment, acme: Organization) -> None:
    done = run(deployment, acme.id, "fourth")

    assert done.returncode == 1
    assert done.stderr == 'move: Unknown database "fourth". The file of databases has: main, second, third.\n'


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (psycopg.errors.AdminShutdown("gone."), "Run the same command again."),
        (psycopg.errors.InsufficientPrivilege("denied."), 'See docs/operations.md, "Move an organization".'),
    ],
)
def test_error_of_postgresql_has_a_next_step_that_can_help(error: psycopg.Error, step: str) -> None:
    assert describe(error) == f"PostgreSQL: {error} {step}"


def test_nothing_to_complete_is_no_failure(deployment: Deployment) -> None:
    with deployment.connections() as connections:
        complete_moves(connections, print)

    assert list_leftovers(deployment) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected"),
        ("{", "cannot be read as a JSON object"),
        ('{"main": {"owner": "postgresql://x/y"}}', "expected"),
        ('{"main": {"owner": "postgresql://x", "administrator": "postgresql://x/y"}}', "expected"),
        ('{"main": {"owner": "no url", "administrator": "postgresql://x/y"}}', "expected"),
        ('{"second": {"owner": "postgresql://x/y", "administrator": "postgresql://x/y"}}', 'lacks the database "main"'),
    ],
)
def test_file_of_another_form_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "databases.json"
    file.write_text(text)
    file.chmod(0o600)

    with pytest.raises(MoveError, match=message):
        read_databases(file)


def test_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "databases.json"
    file.write_text("{}")
    file.chmod(0o640)

    with pytest.raises(MoveError, match="chmod 600"):
        read_databases(file)
