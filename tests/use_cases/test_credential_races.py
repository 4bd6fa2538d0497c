"""A narrower state of a credential stays when a late reader writes, in either release."""

from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis as Client

from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.standing import CredentialState, Standing
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.standing import find_credential, find_standing
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import put_standing, standing_key
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.admission.publish_standing import publish_standing
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW, Admit

OVERLAP = timedelta(minutes=5)
REVOKE = "UPDATE api_keys SET revoked_at = now() WHERE id = %(id)s"
END = "UPDATE api_keys SET expires_at = %(ends_at)s WHERE id = %(id)s"
CHANGES = pytest.mark.parametrize("change", [REVOKE, END], ids=["revoked", "in its overlap"])


def commit(databases: Databases, acme: Provisioned, change: str) -> None:
    with superuser(databases) as conn:
        conn.execute(change.encode(), {"id": acme.secret_key_id, "ends_at": NOW + OVERLAP})


def read(databases: Databases, acme: Provisioned) -> tuple[Standing, CredentialState]:
    """Return the state of the secret key in PostgreSQL, as a request reads it."""
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        standing = find_standing(conn, acme.organization.id)
        assert standing is not None
        return standing, find_credential(conn, acme.organization.id, acme.secret_key_id)


def write(counters: Redis, acme: Provisioned, known: tuple[Standing, CredentialState]) -> None:
    put_standing(counters, acme.organization.id, known[0], credential=(acme.secret_key_id, known[1]))


def publish(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    publish_standing(databases.platform, counters, acme.organization.id, credential_id=acme.secret_key_id)


def verdict_after_the_overlap(admit: Admit, acme: Provisioned) -> AdmissionVerdict:
    return admit(tenant_of(acme), now=NOW + OVERLAP).verdict


@CHANGES
def test_late_writer_restores_no_wider_state(
    databases: Databases, counters: Redis, admit: Admit, acme: Provisioned, change: str
) -> None:
    admit(tenant_of(acme))
    before = read(databases, acme)
    commit(databases, acme, change)
    publish(databases, counters, acme)

    write(counters, acme, before)

    assert verdict_after_the_overlap(admit, acme) is AdmissionVerdict.UNAUTHENTICATED


@CHANGES
def test_publication_replaces_the_state_of_an_early_writer(
    databases: Databases, counters: Redis, admit: Admit, acme: Provisioned, change: str
) -> None:
    admit(tenant_of(acme))
    before = read(databases, acme)
    commit(databases, acme, change)
    write(counters, acme, before)

    publish(databases, counters, acme)

    assert verdict_after_the_overlap(admit, acme) is AdmissionVerdict.UNAUTHENTICATED


@CHANGES
def test_late_writer_notices_a_change_that_redis_forgot(
    databases: Databases, counters: Redis, acme: Provisioned, change: str
) -> None:
    """The change comes between the read of a request and its write.

    It is committed, published and forgotten meanwhile.
    """
    opened: list[Database] = []

    def db() -> Database:
        """Commit the change before the second transaction of the request.

        Its first one has read the old state.
        """
        opened.append(databases.functions)
        if len(opened) == 2:
            commit(databases, acme, change)
        return databases.functions

    admitted = AdmissionGate(counters, db).admit(replace(tenant_of(acme)), now=NOW + OVERLAP)

    assert admitted.verdict is AdmissionVerdict.UNAUTHENTICATED


@CHANGES
def test_writer_of_the_release_before_widens_no_state(
    databases: Databases, counters: Redis, admit: Admit, acme: Provisioned, change: str
) -> None:
    """It writes `credential:` alone, and `live` also for a key with an end."""
    commit(databases, acme, change)
    publish(databases, counters, acme)

    with Client.from_url(databases.servers.valkey_url) as client:
        client.hset(standing_key(acme.organization.id), f"credential:{acme.secret_key_id}", "live")

    assert verdict_after_the_overlap(admit, acme) is AdmissionVerdict.UNAUTHENTICATED


def test_state_of_the_release_before_alone_is_unknown(
    databases: Databases, counters: Redis, admit: Admit, acme: Provisioned
) -> None:
    commit(databases, acme, END)
    put_standing(counters, acme.organization.id, read(databases, acme)[0])
    with Client.from_url(databases.servers.valkey_url) as client:
        client.hset(standing_key(acme.organization.id), f"credential:{acme.secret_key_id}", "live")

    assert verdict_after_the_overlap(admit, acme) is AdmissionVerdict.UNAUTHENTICATED
