"""Mutants of several databases, and of the fence of each organization."""

from typing import Final

from scripts.prove import expected_tests
from scripts.prove.mutant import CORE, Mutant

SAFEGUARD: Final = "one home of an organization"

MUTANTS: Final = (
    Mutant(
        name="a transaction opens rows of an organization that has moved",
        safeguard=SAFEGUARD,
        file=f"{CORE}/stores/postgres/client.py",
        old="(state != INCOMING or its_id != move_id):",
        new="(state == INCOMING and its_id != move_id):",
        caught_by=expected_tests.MOVED_ORGANIZATION,
    ),
    Mutant(
        name="a transaction does not lock the fence of its organization",
        safeguard=SAFEGUARD,
        file=f"{CORE}/stores/postgres/client.py",
        old="app.current_tenant = '%b'; SELECT pg_advisory_xact_lock_shared(%d);",
        new="app.current_tenant = '%b'; SELECT %d;",
        caught_by=expected_tests.FENCE,
    ),
    Mutant(
        name="look-ups find keys and members in a database that they have left",
        safeguard=SAFEGUARD,
        file="layers/migrations/postgres/0036_homes.sql",
        old="AS RESTRICTIVE TO tenancy_platform, tenancy_lookup USING",
        new="AS RESTRICTIVE TO tenancy_platform USING",
        caught_by=expected_tests.LOOK_UPS_ELSEWHERE,
    ),
)
