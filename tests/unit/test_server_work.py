"""The work of the servers in the figure `previous_release`."""

from scripts.bench.releases.work import ServerCounts, ServerWork


def test_work_is_described_for_one_request() -> None:
    work = ServerWork()
    before = ServerCounts({"PostgreSQL": 10, "Redis": 3, "AWS": 0}, {1: 0.5})

    work.add(2, before, ServerCounts({"PostgreSQL": 18, "Redis": 5, "AWS": 0}, {1: 0.504}))
    work.add(2, before, ServerCounts({"PostgreSQL": 18, "Redis": 5, "AWS": 0}, {1: 0.504}))

    assert work.describe() == "PostgreSQL 4, Redis 1 (2.00 ms)"


def test_connection_that_is_new_or_closed_is_not_counted() -> None:
    work = ServerWork()

    work.add(1, ServerCounts({}, {1: 0.5}), ServerCounts({}, {2: 0.7}))

    assert work.describe() == "no round trip (0.00 ms)"
