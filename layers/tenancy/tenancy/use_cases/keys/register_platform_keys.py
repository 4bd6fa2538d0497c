"""Write the ends of platform keys to the register, which a restore replays.

Outbox entries belong to organizations. So the request that ends a platform key writes its entry of the register after
the commit. If that fails, the hourly run writes the entry.
"""

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.durations import REGISTER_RETENTION
from tenancy.rules.register import ended_keys
from tenancy.stores.aws.register import Register
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.platform_keys import list_ended_platform_keys


def register_ended_key(register: Register, key_id: UUID, *, ends_at: datetime) -> None:
    """Write the end of a platform key to the register. If S3 is unreachable, the hourly run writes it."""
    with suppress(UnavailableError):
        register.put(ended_keys(PLATFORM_LOG, [key_id], ends_at=ends_at))


def register_platform_keys(platform_db: Database, register: Register, *, now: datetime) -> None:
    """Write each end of a platform key that a backup may lack to the register. Idempotent.

    Raises:
        UnavailableError: the database or S3 is unreachable. The next run repeats it.
    """
    with platform_db.transaction() as conn:
        ends = list_ended_platform_keys(conn, since=now - REGISTER_RETENTION)
    for key_id, ends_at in ends.items():
        register.put(ended_keys(PLATFORM_LOG, [key_id], ends_at=ends_at))
