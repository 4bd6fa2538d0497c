"""The bucket and the fence of an organization: the same in each release, for ever."""

from uuid import UUID, uuid4

from tenancy.rules.homes import BUCKETS, PLATFORM_FENCE, bucket_of, fence_key

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
