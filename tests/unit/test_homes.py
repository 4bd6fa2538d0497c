"""The bucket and the fence of an organization: the same in each release, for ever."""

from uuid import UUID, uuid4

import pytest

from tenancy.rules.homes import BUCKETS, PLATFORM_FENCE, DatabaseListError, bucket_of, fence_key, parse_databases
from tests.given import ROOT

ACME = UUID("0193f6a2-9e52-4d0b-b2a1-7c8e5f6d4b32")


def test_bucket_and_fence_never_change() -> None:
    """A stored directory and the processes of two releases depend on them."""
    assert (bucket_of(ACME), fence_key(ACME)) == (537, -7653471880139657239)
    assert PLATFORM_FENCE == -7897748892717117927


def test_organizations_are_spread_over_all_buckets() -> None:
    buckets = [bucket_of(uuid4()) for _ in range(20 * BUCKETS)]

    assert set(buckets) == set(range(BUCKETS))
    assert max(map(buckets.count, range(BUCKETS))) < 60


def test_fence_is_a_signed_number_of_64_bits() -> None:
    fences = [fence_key(uuid4()) for _ in range(1000)]

    assert min(fences) < 0 < max(fences)
    assert all(-(2**63) <= fence < 2**63 for fence in fences)


def test_secret_with_one_line_is_the_url() -> None:
    assert parse_databases("postgresql://user:b@host/x") == {"main": "postgresql://user:b@host/x"}
    assert parse_databases("no url\n") == {"main": "no url\n"}


@pytest.mark.parametrize("text", ["main postgresql://user:b@host/x", " main   postgresql://user:b@host/x \n"])
def test_only_line_may_keep_its_name(text: str) -> None:
    """The second database was removed again."""
    assert parse_databases(text) == {"main": "postgresql://user:b@host/x"}


def test_secret_has_a_line_for_each_database() -> None:
    text = "main postgresql://user:b@one/x\n  second   postgresql://user:b@two/x?sslmode=require \n"

    urls = parse_databases(text)

    assert list(urls.items()) == [
        ("main", "postgresql://user:b@one/x"),
        ("second", "postgresql://user:b@two/x?sslmode=require"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("main postgresql://user:b@one/x\npostgresql://user:hunter2@two/x", "line 2"),
        ("main postgresql://user:b@one/x\nsecond", "line 2"),
        ("main postgresql://user:b@one/x\nmain postgresql://user:hunter2@two/x", "main twice"),
        ("second postgresql://user:b@one/x\nmain postgresql://user:hunter2@two/x", "first name"),
        ("second postgresql://user:hunter2@one/x", "first name"),
        ("main postgresql://user:b@one/x\nSecond postgresql://user:hunter2@two/x", "line 2"),
    ],
)
def test_malformed_secret_is_refused_without_its_text(text: str, problem: str) -> None:
    with pytest.raises(DatabaseListError, match=problem) as refused:
        parse_databases(text)

    assert "hunter2" not in str(refused.value)


def test_only_schedules_work_for_one_database_at_a_time() -> None:
    """All others get `Homes`, which has no transaction without a tenant, so that each one must choose a database."""
    apps = {path.parent.name: path.read_text() for path in (ROOT / "functions").glob("*/app.py")}

    assert {name for name, text in apps.items() if "OneDatabase" in text} == {
        "privacy_jobs",
        "roll_up",
        "sweep",
    }
