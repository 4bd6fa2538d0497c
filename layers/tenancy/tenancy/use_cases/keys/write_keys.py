"""Find the tenant of a write key, for paths without an authorizer.

Results are cached as long as API Gateway caches an authorizer's answer.
"""

from datetime import datetime
from typing import Final

from tenancy.errors import CredentialFault, UnauthenticatedError
from tenancy.rules.durations import WRITE_KEY_CACHE_TIME
from tenancy.rules.keys.api_keys import ApiKey, KeyType
from tenancy.rules.tenant import Tenant
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.keys.authenticate import authenticate_key

CACHE_KEYS: Final = 10_000


class WriteKeys:
    """Finds tenants by write key, and caches each result under the key's digest for one minute."""

    def __init__(self, db: Homes) -> None:
        """Look keys up in *db*."""
        self._db = db
        self._known: dict[bytes, tuple[datetime, Tenant]] = {}

    def authenticate(self, key: ApiKey, *, now: datetime) -> Tenant:
        """Return the tenant of the write *key*.

        Permissions and the organization's status are checked by others.

        Raises:
            UnauthenticatedError: the key is no write key, or it is unknown, expired or revoked.
            UnavailableError: the database is unreachable.
        """
        if key.type is not KeyType.WRITE:
            raise UnauthenticatedError(fault=CredentialFault.OTHER_KIND)
        found = self._known.get(key.digest)
        if found is None or found[0] <= now:
            found = now + WRITE_KEY_CACHE_TIME, self._look_up(key, now)
            if len(self._known) >= CACHE_KEYS:
                self._known.clear()
            self._known[key.digest] = found
        tenant = found[1]
        if tenant.expires_at is not None and tenant.expires_at <= now:
            raise UnauthenticatedError
        return tenant

    def _look_up(self, key: ApiKey, now: datetime) -> Tenant:
        caller = authenticate_key(self._db, key, now=now).caller
        if not isinstance(caller, Tenant):
            raise UnauthenticatedError
        return caller
