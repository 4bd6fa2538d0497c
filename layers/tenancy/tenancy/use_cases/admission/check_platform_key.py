"""Check that a platform key is not revoked.

API Gateway caches the authorization of an operator, so the authorizer does not tell.
"""

from tenancy.rules.tenant import Operator
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.lookups import is_platform_key_live


def is_live(db: Database, operator: Operator) -> bool:
    """Whether the platform key of *operator* is not revoked.

    Raises:
        UnavailableError: the database is unreachable.
    """
    with db.transaction() as conn:
        return is_platform_key_live(conn, operator.credential_id)
