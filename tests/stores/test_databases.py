"""The way of a transaction to the home of its organization, among two real databases."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest

from scripts.stack import postgres
from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.homes import ENTERED, Entry, EntryKind, bucket_of
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes, RoutedDatabases, UnknownDatabaseError, transactions_for
from tests.database_pool import DatabasePool
from tests.free_ports import free_port
from tests.given import Databases

ACME = UUID("0193f6a2-9e52-4d0b-b2a1-7c8e5f6d4b32")
GLOBEX = UUID("0193f6a2-9e52-4d0b-b2a1-7c8e5f6d4b33")
FIRST_MOVE, SECOND_MOVE = UUID(int=1), UUID(int=2)
SET_MOVE = """
    INSERT INTO moved_organizations (organization_id, state, other, move_id) VALUES (%s, %s, %s, %s)
    ON CONFLICT (organization_id) DO UPDATE
    SET state = excluded.state, other = excluded.other, move_id = excluded.move_id
"""
SET_BUCKET = """
    INSERT INTO bucket_homes (bucket, database) VALUES (%s, %s)
    ON CONFLICT (bucket) DO UPDATE SET database = excluded.database
"""
NAME = "SELECT current_database()"


def platform_url(given: Databases) -> str:
    return given.servers.postgres_url(postgres.PLATFORM, given.name)


class Places:
    """Two databases, and the names under which the platform knows them."""

    def __init__(self, main: Databases, second: Databases) -> None:
        self.given = {"main": main, "second": second}
        self.clock = 0.0
        self.text = "\n".join(f"{name} {platform_url(each)}" for name, each in self.given.items())
        self.homes = RoutedDatabases(lambda: self.text, monotonic=lambda: self.clock)

    def execute(self, name: str, statement: str, values: tuple[object, ...]) -> None:
        given = self.given[name]
        with psycopg.connect(given.servers.superuser_url, dbname=given.name, autocommit=True) as conn:
            conn.execute(statement.encode(), values)

    def assign(self, organization_id: UUID, name: str) -> None:
        self.execute("main", SET_BUCKET, (bucket_of(organization_id), name))

    def exclude(self, organization_id: UUID, name: str) -> None:
        self.execute("main", "INSERT INTO organization_homes VALUES (%s, %s)", (organization_id, name))

    def move(self, source: str, target: str, move_id: UUID) -> None:
        """Make the rows of a move of acme that was killed after its commit: the target still has its mark."""
        self.execute(target, SET_MOVE, (ACME, "incoming", source, move_id))
        self.execute(source, SET_MOVE, (ACME, "moved", target, move_id))

    def name_of(self, organization_id: UUID) -> str:
        with self.homes.tenant_transaction(organization_id) as conn:
            [(found,)] = conn.execute(NAME)
        [name] = [name for name, each in self.given.items() if each.name == found]
        return name


@pytest.fixture
def places(database_pool: DatabasePool, databases: Databases) -> Iterator[Places]:
    second = database_pool.take()
    opened = Places(databases, second)
    yield opened
    opened.homes.close()
    database_pool.give_back(second)


def test_organization_without_an_entry_is_in_the_catalogue(places: Places) -> None:
    assert places.name_of(ACME) == "main"


def test_home_is_the_database_of_the_bucket(places: Places) -> None:
    places.assign(ACME, "second")

    assert places.name_of(ACME) == "second"
    assert places.name_of(GLOBEX) == "main"
    assert places.homes.of(ACME) is places.homes.by_name()["second"]


def test_exception_of_an_organization_is_stronger_than_its_bucket(places: Places) -> None:
    places.assign(ACME, "second")
    places.exclude(ACME, "main")

    assert places.name_of(ACME) == "main"


def test_directory_is_read_again_after_a_minute(places: Places) -> None:
    assert places.name_of(ACME) == "main"
    places.assign(ACME, "second")

    assert places.name_of(ACME) == "main"
    places.clock += 61
    assert places.name_of(ACME) == "second"


def test_stale_entry_leads_on_to_the_new_home(places: Places) -> None:
    assert places.name_of(ACME) == "main"
    places.move("main", "second", FIRST_MOVE)

    assert places.name_of(ACME) == "second"
    places.execute("second", "DELETE FROM moved_organizations WHERE organization_id = %s", (ACME,))
    assert places.name_of(ACME) == "second"


def test_rows_that_are_still_copied_are_not_used(places: Places) -> None:
    """The directory may name the target before the move has ended."""
    places.execute("second", SET_MOVE, (ACME, "incoming", "main", FIRST_MOVE))
    places.assign(ACME, "second")

    assert places.name_of(ACME) == "main"


def test_organization_that_was_moved_back_is_found(places: Places) -> None:
    places.move("main", "second", FIRST_MOVE)
    places.execute("second", "DELETE FROM moved_organizations WHERE organization_id = %s", (ACME,))
    assert places.name_of(ACME) == "second"

    places.move("second", "main", SECOND_MOVE)

    assert places.name_of(ACME) == "main"


def test_databases_that_contradict_each_other_are_an_outage(places: Places) -> None:
    places.execute("main", SET_MOVE, (ACME, "moved", "second", FIRST_MOVE))
    places.execute("second", SET_MOVE, (ACME, "moved", "main", FIRST_MOVE))

    with pytest.raises(UnavailableError):
        places.name_of(ACME)


def test_unknown_database_is_named(places: Places) -> None:
    places.assign(ACME, "third")

    with pytest.raises(UnknownDatabaseError, match="third"):
        places.name_of(ACME)


def test_platform_itself_lives_in_the_catalogue(places: Places) -> None:
    places.assign(PLATFORM_LOG, "second")

    assert places.name_of(PLATFORM_LOG) == "main"


def test_known_home_needs_no_catalogue(places: Places) -> None:
    unreachable = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    homes = RoutedDatabases(lambda: f"main {unreachable}\nsecond {platform_url(places.given['second'])}")
    homes._remember(ACME, "second")

    with homes.tenant_transaction(ACME) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
    unknown = homes.tenant_transaction(GLOBEX)
    with pytest.raises(UnavailableError), unknown:
        pytest.fail("a transaction was opened")
    homes.close()


def test_error_of_the_block_is_no_reason_for_a_second_try(places: Places) -> None:
    tries = 0

    with pytest.raises(UnavailableError, match="mine"), places.homes.tenant_transaction(ACME):
        tries += 1
        raise UnavailableError("mine")

    assert tries == 1


def test_values_are_looked_up_in_the_home_of_their_owner(places: Places) -> None:
    places.assign(ACME, "second")
    insert = "INSERT INTO catalogue_entries VALUES (%s, 'subdomain', %s, now())"
    for organization_id, value in ((ACME, "acme"), (PLATFORM_LOG, ENTERED)):
        places.execute("main", insert, (organization_id, value))

    def read(conn: Connection) -> object:
        return conn.execute("SELECT current_database(), current_tenant()").fetchone()

    known = [Entry(EntryKind.SUBDOMAIN, "acme")]
    main, second = places.given["main"].name, places.given["second"].name

    assert places.homes.look_up_in_homes(read, ids=[GLOBEX], values=known) == [(main, GLOBEX), (second, ACME)]


def test_value_without_an_entry_is_looked_up_in_each_database(places: Places) -> None:
    def read(conn: Connection) -> object:
        return conn.execute(NAME).fetchone()

    found = places.homes.look_up_in_homes(read, values=[Entry(EntryKind.SUBDOMAIN, "unknown")])

    assert found == [(places.given["main"].name,), (places.given["second"].name,)]


def test_items_get_a_transaction_in_the_home_of_each_organization(places: Places) -> None:
    places.assign(ACME, "second")
    found = []

    for transaction, own in transactions_for(places.homes, [ACME, GLOBEX, ACME], lambda each: each):
        with transaction as conn:
            found.append((conn.execute(NAME).fetchone(), own))

    main, second = places.given["main"].name, places.given["second"].name
    assert found == [((second,), [ACME, ACME]), ((main,), [GLOBEX])]


def test_items_share_a_transaction_of_one_database(databases: Databases) -> None:
    [(transaction, own)] = transactions_for(databases.platform, [ACME, GLOBEX], lambda each: each)

    with transaction as conn:
        assert conn.execute("SELECT current_tenant()").fetchone() == (None,)
    assert own == [ACME, GLOBEX]


def test_one_database_is_the_map_with_one_entry(databases: Databases) -> None:
    only: Homes = databases.platform

    assert only.every() == (only,)
    assert only.of(ACME) is only
    assert only.catalogue is only
    assert only.look_up_in_homes(lambda conn: conn.execute("SELECT 1").fetchone(), ids=[ACME, GLOBEX]) == [(1,)]


def test_one_url_is_the_map_with_one_entry(databases: Databases) -> None:
    homes = RoutedDatabases(lambda: platform_url(databases))

    assert homes.every() == (homes.catalogue,)
    assert homes.of(ACME) is homes.catalogue
    with homes.tenant_transaction(ACME) as conn:
        assert conn.execute(NAME).fetchone() == (databases.name,)
    assert homes.look_up_in_homes(lambda conn: conn.execute(NAME).fetchone(), ids=[ACME, GLOBEX]) == [(databases.name,)]
    homes.close()


def test_second_database_is_known_within_minutes(places: Places) -> None:
    whole = places.text
    places.text = platform_url(places.given["main"])
    places.assign(ACME, "second")
    assert places.name_of(ACME) == "main"

    places.text = whole
    places.clock += 301

    assert places.name_of(ACME) == "second"


@pytest.mark.parametrize("text", ["Second postgresql://x", "second postgresql://x\nmain postgresql://y"])
def test_malformed_change_of_the_secret_harms_no_running_process(places: Places, text: str) -> None:
    assert places.name_of(ACME) == "main"

    places.text = f"{text}\n"
    places.clock += 301

    assert places.name_of(ACME) == "main"
    assert len(places.homes.every()) == 2


def test_database_that_is_added_later_is_found(places: Places) -> None:
    assert len(places.homes.every()) == 2
    places.text += f"\nthird {platform_url(places.given['second'])}"
    places.assign(ACME, "third")

    with places.homes.tenant_transaction(ACME) as conn:
        assert conn.execute(NAME).fetchone() == (places.given["second"].name,)
    assert len(places.homes.every()) == 3


def test_unknown_name_is_looked_for_past_the_cache_of_the_secret(places: Places) -> None:
    """A cached text lacks the line of the newest database, to which a move may already have led."""
    whole, cached = places.text, [f"main {platform_url(places.given['main'])}"]

    def read_again() -> str:
        cached[0] = whole
        return whole

    homes = RoutedDatabases(lambda: cached[0], read_again=read_again)
    assert len(homes.every()) == 1
    places.move("main", "second", FIRST_MOVE)

    with homes.tenant_transaction(ACME) as conn:
        assert conn.execute(NAME).fetchone() == (places.given["second"].name,)
    homes.close()


def test_database_without_its_line_is_named(places: Places) -> None:
    second = places.homes.by_name()["second"]
    places.text = f"main {platform_url(places.given['main'])}"

    with pytest.raises(UnknownDatabaseError, match="second"), second.transaction():
        pytest.fail("a transaction was opened")


def test_connections_of_all_databases_are_closed(places: Places) -> None:
    for database in places.homes.every():
        with database.transaction():
            pass

    places.homes.close()

    assert [each._connection for each in places.homes.every()] == [None, None]
