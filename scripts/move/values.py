"""Enter the unique values of all organizations into the catalogue, once.

Until then a look-up of a value without an entry asks each database, because the value may be older than the second
database.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from scripts.move.access import movers_access, only_run
from scripts.move.checks import require_database
from scripts.move.databases import Connections
from scripts.move.homes import list_databases, list_homes
from scripts.move.recovery import recover
from scripts.move.unique_values import enter_values
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.homes import CATALOGUE, ENTERED, ENTERING, Entry, EntryKind
from tenancy.stores.postgres.platform.catalogue import upsert_entries


def enter_all(connections: Connections, say: Callable[[str], None], *, grace_seconds: float) -> None:
    """Enter the values of all organizations, and let look-ups ask the catalogue alone.

    Idempotent. From the start of this call, each request enters its own new values. For *grace_seconds* requests may be
    under way that began before.

    Raises:
        MoveError: the file of databases lacks one, another run is under way, or two organizations have the same value.
            Look-ups go on asking each database.
    """
    with only_run(connections), movers_access(connections):
        catalogue = connections.mover(CATALOGUE)
        for name in list_databases(catalogue):
            require_database(connections, name)
        recover(connections, say)
        upsert_entries(catalogue, PLATFORM_LOG, [ENTERING], now=datetime.now(UTC))
        say(f"Requests now enter their new values. Waiting {grace_seconds:.0f} s for requests that began before.")
        time.sleep(grace_seconds)
        for name in connections.databases:
            organization_ids = list_homes(connections.mover(name))
            for organization_id in organization_ids:
                enter_values(connections, name, organization_id)
            say(f'The values of {len(organization_ids)} organizations of "{name}" are entered.')
        markers = [Entry(kind, ENTERED) for kind in EntryKind]
        upsert_entries(catalogue, PLATFORM_LOG, markers, now=datetime.now(UTC))
        say("Look-ups of unknown values ask the catalogue alone.")
