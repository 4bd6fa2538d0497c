"""The scheduled request of the sweep, and outbox entries that it finds due."""

from tests.given import Databases
from tests.handlers.functions import superuser
from tests.handlers.requests import sample

EVERY_MINUTE = sample("sweep", "every_minute")


def make_all_due(databases: Databases) -> None:
    """Make every outbox entry due, as after its backoff."""
    with superuser(databases) as conn:
        conn.execute("UPDATE outbox SET due_at = '2000-01-01T00:00:00Z'")
