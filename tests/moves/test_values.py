"""Once all values are entered, a look-up of an unknown value asks the catalogue alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from scripts.move.errors import MoveError
from scripts.move.organization import move_organization
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
CLAIM = "INSERT INTO catalogue_entries VALUES (%s, 'subdomain', %s, now() - %s)"
RENAME = "UPDATE organization_names SET subdomain = %s WHERE organization_id = %s"
FIND_OWNER = "SELECT organization_id FROM catalogue_entries WHERE kind = 'subdomain' AND value = %s"
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


@contextmanager
def renamed(deployment: Deployment, organization: Organization, subdomain: str) -> Iterator[None]:
    """Let the organization of SECOND have *subdomain* in the block."""
    deployment[SECOND].superuser.execute(RENAME, (subdomain, organization.id))
    yield
    deployment[SECOND].superuser.execute(RENAME, (organization.provisioned.organization.subdomain, organization.id))


def owner_of(deployment: Deployment, subdomain: str) -> UUID:
    [(organization_id,)] = deployment[MAIN].superuser.execute(FIND_OWNER, (subdomain,)).fetchall()
    return UUID(str(organization_id))


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
    acme, globex = Organization.provision(deployment[MAIN]), Organization.provision(deployment[SECOND])
    put_home(deployment, globex)
    subdomain = acme.provisioned.organization.subdomain
    with renamed(deployment, globex, subdomain), Client.of(deployment).closing() as client:
        with deployment.connections() as connections, pytest.raises(MoveError) as refused:
            enter_all(connections, print, grace_seconds=0)

        assert str(refused.value).startswith(f"The organization {acme.id} has the same subdomain as {globex.id}.")
        assert len(databases_asked(client)) == 3


def test_entry_without_a_row_is_taken_over(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    subdomain = acme.provisioned.organization.subdomain
    deployment[MAIN].superuser.execute(CLAIM, (uuid4(), subdomain, timedelta(minutes=21)))

    with deployment.connections() as connections:
        enter_all(connections, print, grace_seconds=0)

    assert owner_of(deployment, subdomain) == acme.id


def test_move_takes_over_an_entry_without_a_row(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    subdomain = acme.provisioned.organization.subdomain
    deployment[MAIN].superuser.execute(CLAIM, (uuid4(), subdomain, timedelta(minutes=21)))

    with deployment.connections() as connections:
        move_organization(connections, acme.id, SECOND, print, fence_seconds=30)

    assert owner_of(deployment, subdomain) == acme.id


def test_claim_that_may_be_running_is_not_taken_over(deployment: Deployment) -> None:
    acme, other = Organization.provision(deployment[MAIN]), uuid4()
    subdomain = acme.provisioned.organization.subdomain
    deployment[MAIN].superuser.execute(CLAIM, (other, subdomain, timedelta(minutes=19)))

    with deployment.connections() as connections, pytest.raises(MoveError) as refused:
        enter_all(connections, print, grace_seconds=0)

    assert str(refused.value).startswith(f"The organization {other} has just claimed a subdomain of {acme.id}.")
    assert owner_of(deployment, subdomain) == other
    deployment[MAIN].superuser.execute("DELETE FROM catalogue_entries WHERE organization_id = %s", (other,))


def test_file_without_a_home_of_organizations_is_refused(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[SECOND])
    put_home(deployment, acme)
    with deployment.connections() as connections:
        connections.databases = {name: urls for name, urls in connections.databases.items() if name != SECOND}
        with pytest.raises(MoveError, match='Unknown database "second"'):
            enter_all(connections, print, grace_seconds=0)

    assert deployment[MAIN].superuser.execute(COUNT_MARKERS, (PLATFORM_LOG,)).fetchone() == (0,)
