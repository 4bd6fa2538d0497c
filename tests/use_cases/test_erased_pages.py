"""REINDEX removes the copies that VACUUM leaves in the upper pages of indexes."""

import re
from collections import Counter
from uuid import UUID

import psycopg

from scripts.stack import postgres
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.isolation.proof.leaks.postgres_files import REINDEX, texts_after_vacuum
from tests.use_cases.erasing import Platform

ADD_ORGANIZATIONS = """
    INSERT INTO organizations (id, name, subdomain, gateway_key)
    SELECT gen_random_uuid(), 'canary', 'canary-' || md5(n::text), 'canary ' || n FROM generate_series(1, 1000) AS n
"""


def subdomains(databases: Databases) -> Counter[str]:
    """Count each subdomain in the index pages of the look-up table."""
    with superuser(databases) as conn:
        items = [item for where, item in texts_after_vacuum(conn) if where == "index of organization_names"]
    return Counter(found for item in items for found in re.findall("canary-[0-9a-f]{32}", item))


def test_reindex_removes_erased_names_from_index_separators(platform: Platform, databases: Databases) -> None:
    with superuser(databases) as conn:
        conn.execute(ADD_ORGANIZATIONS)

    [(erased, times)] = subdomains(databases).most_common(1)

    assert times > 1

    with superuser(databases) as conn:
        found = conn.execute("SELECT id FROM organizations WHERE subdomain = %s", (erased,)).fetchall()
    organization_id: UUID = found[0][0]
    platform.delete(organization_id)

    platform.erase(organization_id)

    assert 0 < subdomains(databases)[erased] < times  # only its own entry is deleted

    with psycopg.connect(databases.servers.postgres_url(postgres.OWNER, databases.name), autocommit=True) as conn:
        conn.execute(REINDEX)
    left = subdomains(databases)
    assert left[erased] == 0
    assert len(left) == 999
