"""What looks the same is the same in SQL and in Python, and is nobody's while it is kept."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from psycopg import sql

from tenancy.errors import SubdomainTakenError
from tenancy.rules.durations import SUBDOMAIN_QUARANTINE
from tenancy.rules.organization import RESERVED_SUBDOMAINS, Organization, OrganizationStatus, subdomain_skeleton
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.platform.organizations import insert_organization
from tenancy.stores.postgres.platform.quarantine import insert_quarantine, is_quarantined
from tests.given import NOW, Databases

LABELS = 20_000
FIND_EXPRESSION = """
    SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d
    JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum)
    WHERE a.attrelid = 'organizations'::regclass AND a.attname = 'subdomain_skeleton' AND a.attgenerated = 's'
"""
ACME = Organization(
    id=uuid4(),
    name="Acme",
    subdomain="acme",
    tier=Tier.STARTER,
    status=OrganizationStatus.ACTIVE,
    created_at=NOW,
    updated_at=NOW,
    deleted_at=None,
    purge_at=None,
    deletion_reason=None,
)


def test_the_database_has_the_same_skeletons(databases: Databases) -> None:
    random = Random(2026)
    labels = ["".join(random.choices("01iolrnmvw-a9", k=random.randint(1, 63))) for _ in range(LABELS)]
    labels += sorted(RESERVED_SUBDOMAINS)
    with databases.owner.transaction() as conn:
        expression: Any
        [(expression,)] = conn.execute(FIND_EXPRESSION)
        statement = sql.SQL("SELECT subdomain, {} FROM unnest(%s::text[]) AS labels (subdomain)").format(
            sql.SQL(expression)
        )
        rows = conn.execute(statement, (labels,)).fetchall()
    assert len(rows) == len(labels)
    assert [row for row in rows if row[1] != subdomain_skeleton(row[0])] == []


@pytest.mark.parametrize("subdomain", ["acme", "acrne"])
def test_what_looks_like_anothers_subdomain_is_taken(databases: Databases, subdomain: str) -> None:
    with databases.platform.transaction() as conn:
        insert_organization(conn, ACME, gateway_key="organization-of-acme-1")
    other = replace(ACME, id=uuid4(), subdomain=subdomain)
    with pytest.raises(SubdomainTakenError), databases.platform.transaction() as conn:
        insert_organization(conn, other, gateway_key="organization-of-another-1")


def test_a_subdomain_is_kept_until_its_quarantine_ends_with_all_that_look_like_it(databases: Databases) -> None:
    ends_at = NOW + SUBDOMAIN_QUARANTINE
    with databases.platform.transaction() as conn:
        insert_quarantine(conn, "acme", ends_at=ends_at)
        insert_quarantine(conn, "acrne", ends_at=NOW)  # the longer one stays
        for subdomain in ("acme", "acrne"):
            assert is_quarantined(conn, subdomain, now=ends_at - timedelta(seconds=1))
            assert not is_quarantined(conn, subdomain, now=ends_at)
        assert not is_quarantined(conn, "globex", now=NOW)
        assert b"acme" not in conn.execute("SELECT digest FROM quarantined_subdomains").fetchall()[0][0]
