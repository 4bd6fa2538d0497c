"""Once all values are entered, a look-up of an unknown value asks the catalogue alone."""

from collections.abc import Iterator

import pytest

from scripts.move.errors import MoveError
from scripts.move.values import enter_all
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.homes import Entry, EntryKind
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.platform.catalogue import delete_markers
from tests.moves.leftovers import list_leftovers
from tests.moves.servers import MAIN, SECOND, THIRD, Deployment
from tests.moves.traffic import Client, Organization, put_home

UNKNOWN = Entry(EntryKind.KEY, generate_key(KeyType.SECRET).digest.hex())
COUNT_MARKERS = "SELECT count(*) FROM catalogue_entries WHERE organization_id = %s"


@pytest.fixture(autouse=True)
def without_markers(deployment: Deployment) -> Iterator[None]:
    yield
    with deployment[MAIN].platform.transaction() as conn:
        delete_markers(conn)


def databases_asked(client: Client) -> list[str]:
    """Return the databases that a look-up of an unknown key asks."""

    def read(conn: Connection) -> str:
        return f"{conn.info.port}/{conn.info.dbname}"

    return list(client.functions.look_up_in_homes(read, values=[UNKNOWN]))


def test_unknown_value_is_looked_for_in_the_catalogue_alone(deployment: Deployment) -> None:
    organizations = [Organization.provision(deployment[name]) for name in (MAIN, SECOND, THIRD)]
    for each in organizations:
        put_home(deployment, each)
    with Client.of(deployment).closing() as client, deployment.connections() as connections:
        assert len(databases_asked(client)) == 3

        for _ in range(2):  # idempotent
            enter_all(connections, print, grace_seconds=0)

        assert databases_asked(client) == []
        assert all(client.finds(key) for each in organizations for key in each.keys)
    assert list_leftovers(deployment) == []


def test_two_owners_of_a_value_leave_the_look_ups_as_they_are(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    insert = "INSERT INTO catalogue_entries VALUES (gen_random_uuid(), 'subdomain', %s, now())"
    deployment[MAIN].superuser.execute(insert, (acme.provisioned.organization.subdomain,))
    with Client.of(deployment).closing() as client, deployment.connections() as connections:
        with pytest.raises(MoveError, match=f"these values of {acme.id} in the catalogue: subdomain"):
            enter_all(connections, print, grace_seconds=0)

        assert len(databases_asked(client)) == 3
    delete = "DELETE FROM catalogue_entries WHERE value = %s"
    deployment[MAIN].superuser.execute(delete, (acme.provisioned.organization.subdomain,))


def test_file_without_a_home_of_organizations_is_refused(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[SECOND])
    put_home(deployment, acme)
    with deployment.connections() as connections:
        connections.databases = {name: urls for name, urls in connections.databases.items() if name != SECOND}
        with pytest.raises(MoveError, match='Unknown database "second"'):
            enter_all(connections, print, grace_seconds=0)

    assert deployment[MAIN].superuser.execute(COUNT_MARKERS, (PLATFORM_LOG,)).fetchone() == (0,)
