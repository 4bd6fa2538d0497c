"""Run a schedule once for each database of the platform."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes, UnknownDatabaseError
from tenancy.use_cases.schedule.failures import collect_failures

type OneDatabase = Database  # a function imports no store


def run_in_each(databases: Sequence[Database], run: Callable[[Database], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the result of *run* for the only database, or the results for all of them.

    A database that fails does not stop the others.

    Raises:
        ExceptionGroup: *run* failed for one of several databases. It was called for all.
    """
    if len(databases) == 1:
        return run(databases[0])
    results: list[Mapping[str, Any]] = []
    failures: list[Exception] = []
    for database in databases:
        with collect_failures(failures):
            results.append(run(database))
    if failures:
        raise ExceptionGroup("A schedule failed for some databases.", failures)
    return {"databases": results}


def as_other_role(database: OneDatabase, homes: Homes, others: Homes) -> OneDatabase:
    """Return *database*, which is one of *homes*, from *others*, the databases as another role.

    They are paired by name, because each role has a secret of its own, and its lines may have any order.

    Raises:
        UnknownDatabaseError: the secret of the other role has no line for the database.
    """
    [name] = [name for name, each in homes.by_name().items() if each is database]
    if (found := others.by_name().get(name)) is None:
        raise UnknownDatabaseError(name)
    return found
