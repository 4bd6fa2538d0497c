"""The directory of homes: which database has which buckets."""

from collections.abc import Sequence
from typing import Final

from tenancy.rules.homes import BUCKETS
from tenancy.stores.postgres.client import Connection

# Each provisioning adds an outbox entry. Policies show the owner no rows of organizations.
WAS_USED: Final = "SELECT is_called FROM outbox_id_seq"
INSERT_BUCKETS: Final = """
    INSERT INTO bucket_homes (bucket, database)
    SELECT bucket, (%(names)s::text[])[1 + bucket %% cardinality(%(names)s::text[])]
    FROM generate_series(0, %(last)s) AS bucket
    ON CONFLICT (bucket) DO NOTHING
"""


def insert_bucket_homes(conn: Connection, names: Sequence[str]) -> None:
    """Fill an empty directory, in the catalogue.

    The buckets are spread evenly over the databases *names*, if no organization was provisioned yet. Else all of them
    are in the catalogue, the first of *names*, from where they can be moved.
    """
    [(was_used,)] = conn.execute(WAS_USED)
    conn.execute(INSERT_BUCKETS, {"names": list(names[:1] if was_used else names), "last": BUCKETS - 1})
