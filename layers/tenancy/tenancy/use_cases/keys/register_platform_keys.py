"""Write the ends of platform keys to the register, which a restore replays.

No outbox entry can belong to the platform. So the request that ends a key writes its entry after the commit. The sweep
writes ends of the last two hours, and the hourly run also older ones and those in the future.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.durations import RECENT_KEY_ENDS_TIME, REGISTER_RETENTION
from tenancy.rules.register import ended_keys
from tenancy.stores.aws.register import Register
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.platform_keys import list_ended_platform_keys


def register_ended_key(register: Register, key_id: UUID, *, ends_at: datetime) -> None:
    """Write the end of a platform key to the register. If S3 is unreachable, the sweep does it."""
    with suppress(UnavailableError):
        register.put(ended_keys(PLATFORM_LOG, [key_id], ends_at=ends_at))


def register_recent_ends(platform_db: Database, register: Register, *, now: datetime) -> None:
    """Write the ends of platform keys since the last hourly run to the register. Idempotent.

    Raises:
        UnavailableError: the database or S3 is unreachable. The next run repeats it.
    """
    with platform_db.transaction() as conn:
        ends = list_ended_platform_keys(conn, since=now - RECENT_KEY_ENDS_TIME)
    _register(register, {key_id: ends_at for key_id, ends_at in ends.items() if ends_at <= now})


def register_platform_keys(platform_db: Database, register: Register, *, now: datetime) -> None:
    """Write each end of a platform key that a backup may lack to the register. Idempotent.

    Raises:
        UnavailableError: the database or S3 is unreachable. The next run repeats it.
    """
    with platform_db.transaction() as conn:
        ends = list_ended_platform_keys(conn, since=now - REGISTER_RETENTION)
    _register(register, ends)


def _register(register: Register, ends: Mapping[UUID, datetime]) -> None:
    for key_id, ends_at in ends.items():
        register.put(ended_keys(PLATFORM_LOG, [key_id], ends_at=ends_at))
