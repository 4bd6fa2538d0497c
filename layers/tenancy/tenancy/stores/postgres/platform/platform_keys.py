"""API keys of the platform's operators."""

from typing import Final

from tenancy.rules.api_keys import ApiKey
from tenancy.stores.postgres.client import Connection

INSERT_PLATFORM_KEY: Final = """
    INSERT INTO platform_keys (name, digest) VALUES (%s, %s)
    ON CONFLICT ON CONSTRAINT platform_keys_digest_key DO NOTHING
"""


def insert_platform_key(conn: Connection, key: ApiKey, *, name: str) -> None:
    """Store the digest of *key*. An existing digest stays unchanged."""
    conn.execute(INSERT_PLATFORM_KEY, (name, key.digest))
