"""The home of an organization: the database that has its rows.

An organization belongs to one of 1,024 buckets for ever. A directory has the database of each bucket, and of each
organization that is not in the database of its bucket. Reasons: docs/decisions/0083-homes-of-organizations.md.
"""

import hashlib
from typing import Final
from uuid import UUID

BUCKETS: Final = 1024
CATALOGUE: Final = "main"  # the first database, which also has the directory and the values that are unique among all
# The advisory lock of transactions without a tenant: the first 8 bytes of SHA-256 of "tenancy platform fence".
PLATFORM_FENCE: Final = int.from_bytes(hashlib.sha256(b"tenancy platform fence").digest()[:8], signed=True)


def bucket_of(organization_id: UUID) -> int:
    """Return the bucket of an organization, which never changes."""
    return int.from_bytes(_digest(organization_id)[:2]) % BUCKETS


def fence_key(organization_id: UUID) -> int:
    """Return the advisory lock of the organization: shared in its transactions, exclusive in the cut-over of a move.

    It is a signed number of 64 bits. Two organizations with the same number only wait for each other.
    """
    return int.from_bytes(_digest(organization_id)[2:10], signed=True)


def _digest(organization_id: UUID) -> bytes:
    return hashlib.sha256(organization_id.bytes).digest()
