"""What VACUUM leaves in the upper pages of indexes is gone when they are built anew."""

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
    """Return how often each subdomain is in the indexes of organizations."""
    with superuser(databases) as conn:
        items = [item for where, item in texts_after_vacuum(conn) if where == "index of organizations"]
    return Counter(found for item in items for found in re.findall("canary-[0-9a-f]{32}", item))


def test_separators_of_an_index_keep_a_name_until_it_is_built_anew(platform: Platform, databases: Databases) -> None:
    with superuser(databases) as conn:
        conn.execute(ADD_ORGANIZATIONS)
    [(erased, times)] = subdomains(databases).most_common(1)
    assert times > 1
    with superuser(databases) as conn:
        found = conn.execute("SELECT id FROM organizations WHERE subdomain = %s", (erased,)).fetchall()
    own: UUID = found[0][0]
    platform.delete(own)
    platform.erase(own)
    assert 0 < subdomains(databases)[erased] < times  # its own entry is gone
    with psycopg.connect(databases.servers.postgres_url(postgres.OWNER, databases.name), autocommit=True) as conn:
        conn.execute(REINDEX)
    left = subdomains(databases)
    assert left[erased] == 0
    assert len(left) == 999
