"""Check that a platform key is neither revoked nor expired.

API Gateway caches the authorization of an operator, so the authorizer does not tell.
"""

from datetime import datetime

from tenancy.rules.tenant import Operator
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.lookups import find_live_platform_key


def is_live(db: Homes, operator: Operator, *, now: datetime) -> bool:
    """Return whether the platform key of *operator* is neither revoked nor expired at *now*.

    Raises:
        UnavailableError: the database is unreachable.
    """
    found = db.catalogue.look_up(lambda conn: find_live_platform_key(conn, operator.credential_id))
    return found is not None and not found.has_expired(now)
