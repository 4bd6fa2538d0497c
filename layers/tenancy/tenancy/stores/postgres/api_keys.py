"""API keys of an organization. Only a digest of a key is stored."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from tenancy.rules.api_keys import ApiKey
from tenancy.stores.postgres.client import Connection

INSERT_API_KEY: Final = """
    INSERT INTO api_keys (id, organization_id, type, app_id, name, digest, hint, scopes)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


def insert_api_key(
    conn: Connection,
    organization_id: UUID,
    key_id: UUID,
    key: ApiKey,
    *,
    name: str,
    scopes: Iterable[str],
    app_id: UUID | None = None,
) -> None:
    """Store the digest of *key*.

    A write key belongs to the app *app_id*, a secret key to no app.
    """
    conn.execute(
        INSERT_API_KEY,
        (key_id, organization_id, key.type.value, app_id, name, key.digest, key.hint, sorted(scopes)),
    )
