"""Look-up tables of the platform follow each change of the rows that they point to."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.stores.postgres.platform.deletions import update_anonymous
from tenancy.stores.postgres.platform.lookups import find_key_holder
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.use_cases.erasing import Platform

LIST_DIGESTS = "SELECT organization_id, key_id, digest FROM key_digests ORDER BY digest"
LIST_KEYS = "SELECT organization_id, id, digest FROM api_keys ORDER BY digest"
LIST_NAMES = "SELECT organization_id, subdomain, skeleton, gateway_key FROM organization_names ORDER BY 1"
LIST_ORGANIZATIONS = "SELECT id, subdomain, subdomain_skeleton, gateway_key FROM organizations ORDER BY id"
LIST_OWNERS = "SELECT organization_id FROM key_digests UNION SELECT organization_id FROM organization_names"
LIST_PROVEN = "SELECT organization_id, domain FROM proven_email_domains ORDER BY domain"
INSERT_PROVEN = """
    INSERT INTO email_domains (organization_id, domain, id, token, created_at, verified_at, check_at)
    VALUES (%s, %s, gen_random_uuid(), 'x', now(), now(), now())
"""
INSERT_ORGANIZATION = "INSERT INTO organizations (id, name, subdomain, gateway_key) VALUES (%s, 'x', %s, %s)"
INSERT_DIGEST = "INSERT INTO key_digests (organization_id, key_id, digest) VALUES (%s, %s, sha256('x'))"


def rows_of(databases: Databases, statement: str) -> list[tuple[Any, ...]]:
    with superuser(databases) as conn:
        return conn.execute(statement.encode()).fetchall()


def assert_listed(databases: Databases) -> None:
    """Assert that the look-up tables list every key and every organization as it is."""
    assert rows_of(databases, LIST_DIGESTS) == rows_of(databases, LIST_KEYS)
    assert rows_of(databases, LIST_NAMES) == rows_of(databases, LIST_ORGANIZATIONS)


def test_provisioning_lists_keys_and_names(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    assert_listed(databases)

    owners = {owner for (owner,) in rows_of(databases, LIST_OWNERS)}
    assert owners == {acme.organization.id, globex.organization.id}


def test_changed_names_are_listed(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET subdomain = 'acrne-gmbh' WHERE id = %s", (acme.organization.id,))
        conn.execute("UPDATE organizations SET gateway_key = 'another' WHERE id = %s", (globex.organization.id,))
        conn.execute(INSERT_ORGANIZATION, (uuid4(), "acme", "organization-of-another"))  # it is free again

    assert_listed(databases)


def test_rotated_digest_is_listed(databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE api_keys SET digest = sha256('rotated') WHERE id = %s", (acme.secret_key_id,))

    assert_listed(databases)


@pytest.mark.parametrize(
    ("subdomain", "gateway_key", "constraint"),
    [
        ("acme", "organization-of-another", "organizations_subdomain_key"),
        ("acrne", "organization-of-another", "organizations_subdomain_skeleton_key"),
        ("another", "that of acme", "organizations_gateway_key_key"),
    ],
)
def test_taken_name_is_refused_by_its_constraint(
    databases: Databases, acme: Provisioned, subdomain: str, gateway_key: str, constraint: str
) -> None:
    """Functions of the release before know the constraints by these names."""
    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET gateway_key = 'that of acme' WHERE id = %s", (acme.organization.id,))

    with pytest.raises(psycopg.errors.UniqueViolation) as refused, databases.platform.transaction() as conn:
        conn.execute(INSERT_ORGANIZATION, (uuid4(), subdomain, gateway_key))

    assert refused.value.diag.constraint_name == constraint


def test_digest_of_another_organizations_key_is_refused(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    statement = "UPDATE api_keys SET digest = (SELECT digest FROM api_keys WHERE id = %s) WHERE id = %s"

    with pytest.raises(psycopg.errors.UniqueViolation, match="key_digests_digest_key"), superuser(databases) as conn:
        conn.execute(statement, (acme.secret_key_id, globex.secret_key_id))


def test_digest_that_is_listed_by_mistake_is_no_credential(databases: Databases, acme: Provisioned) -> None:
    other = generate_key(KeyType.SECRET)
    with superuser(databases) as conn:
        conn.execute("UPDATE key_digests SET digest = %s WHERE key_id = %s", (other.digest, acme.secret_key_id))

    with databases.authorizer.transaction() as conn:
        assert find_key_holder(conn, other.digest) is None
        assert find_key_holder(conn, acme.secret_key.digest) is None
        assert find_key_holder(conn, acme.write_key.digest) is not None


def test_platform_lists_digests_only_of_the_transactions_tenant(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        owners = conn.execute("SELECT DISTINCT organization_id FROM key_digests").fetchall()

    assert owners == [(acme.organization.id,)]

    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        databases.platform.tenant_transaction(acme.organization.id) as conn,
    ):
        conn.execute(INSERT_DIGEST, (globex.organization.id, uuid4()))


def test_erasure_deletes_digests_and_names(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    platform.delete(acme.organization.id)

    counts = platform.erase(acme.organization.id, times=2)

    assert rows_of(databases, LIST_OWNERS) == [(globex.organization.id,)]
    assert (counts["postgres"]["key_digests"], counts["postgres"]["organization_names"]) == (0, 0)


def test_erasure_by_the_release_before_deletes_digests_and_names(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    """The statements of that release know no look-up table."""
    platform.delete(acme.organization.id)
    platform.place_tombstones(acme.organization.id)

    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        update_anonymous(conn, acme.organization.id)
        conn.execute("DELETE FROM api_keys WHERE organization_id = %s", (acme.organization.id,))

    assert rows_of(databases, LIST_OWNERS) == [(globex.organization.id,)]


def test_proven_domain_belongs_to_one_organization(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_PROVEN, (acme.organization.id, "acme.example"))
        with pytest.raises(psycopg.errors.UniqueViolation, match="proven_email_domains_domain_key"):
            conn.execute(INSERT_PROVEN, (globex.organization.id, "acme.example"))

    assert rows_of(databases, LIST_PROVEN) == [(acme.organization.id, "acme.example")]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE email_domains SET verified_at = NULL, check_at = NULL",
        "UPDATE email_domains SET domain = 'other.example'",
        "DELETE FROM email_domains",
    ],
)
def test_domain_without_a_proof_is_not_listed(databases: Databases, acme: Provisioned, change: str) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_PROVEN, (acme.organization.id, "acme.example"))
        conn.execute(change.encode())

    assert "acme.example" not in {domain for _, domain in rows_of(databases, LIST_PROVEN)}


INSERT_CUSTOM_DOMAIN = """
    INSERT INTO custom_domains (organization_id, domain, id, token, status, created_at, verified_at, attached_at,
                                active_at)
    VALUES (%(id)s, 'data.acme.example', gen_random_uuid(), 'x', %(status)s, now(),
            CASE WHEN %(status)s <> 'unverified' THEN now() END, now(), now())
"""
FIND_OWNERS = "SELECT domain, organization_id FROM find_custom_domain_owners(ARRAY['data.acme.example', 'x.example'])"


def owners_of(databases: Databases) -> list[tuple[Any, ...]]:
    with databases.functions.transaction() as conn:
        return conn.execute(FIND_OWNERS.encode()).fetchall()


def test_claim_excludes_no_other_organization(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    with superuser(databases) as conn:
        for each in (acme, globex):
            conn.execute(INSERT_CUSTOM_DOMAIN, {"id": each.organization.id, "status": "unverified"})

    assert owners_of(databases) == []


def test_active_custom_domain_has_one_owner(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_CUSTOM_DOMAIN, {"id": acme.organization.id, "status": "active"})
        with pytest.raises(psycopg.errors.UniqueViolation, match="listed_custom_domains_proven_key"):
            conn.execute(INSERT_CUSTOM_DOMAIN, {"id": globex.organization.id, "status": "verified"})

    assert owners_of(databases) == [("data.acme.example", acme.organization.id)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE custom_domains SET status = 'removing'",
        "UPDATE custom_domains SET status = 'withdrawing'",
        "UPDATE custom_domains SET domain = 'other.example'",
        "UPDATE listed_custom_domains SET is_served = false",
        "DELETE FROM custom_domains",
    ],
)
def test_custom_domain_that_is_not_active_has_no_owner(databases: Databases, acme: Provisioned, change: str) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_CUSTOM_DOMAIN, {"id": acme.organization.id, "status": "active"})
        conn.execute(change.encode())

    assert owners_of(databases) == []


def test_custom_domain_that_is_listed_by_mistake_has_no_owner(databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_CUSTOM_DOMAIN, {"id": acme.organization.id, "status": "verified"})
        conn.execute("UPDATE listed_custom_domains SET is_served = true")

    assert owners_of(databases) == []
