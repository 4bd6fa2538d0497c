"""The home of an organization: the database that has its rows.

An organization belongs to one of 1,024 buckets for ever. A directory has the database of each bucket, and of each
organization that is not in the database of its bucket. Reasons: docs/decisions/0083-homes-of-organizations.md.
"""

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from tenancy.errors import DeploymentError

BUCKETS: Final = 1024
HOME_NAME: Final = re.compile("[a-z][a-z0-9-]{0,31}")  # as the migration has it
MOVE_PREFIX: Final = "tenancy_move_"  # of the publication, the slot and the subscription of a move
CATALOGUE: Final = "main"  # the first database, which also has the directory and the values that are unique among all
# The advisory lock of transactions without a tenant: the first 8 bytes of SHA-256 of "tenancy platform fence".
PLATFORM_FENCE: Final = int.from_bytes(hashlib.sha256(b"tenancy platform fence").digest()[:8], signed=True)


class DatabaseListError(DeploymentError):
    """A secret with the URLs of several databases is malformed."""

    def __init__(self, problem: str) -> None:
        """Name the problem and the form, without a URL."""
        super().__init__(
            f"A secret of PostgreSQL {problem}. It has one URL, or a line `name URL` for each database. The first name"
            f" is {CATALOGUE}."
        )


class EntryKind(StrEnum):
    """A kind of values that are unique among the organizations of all databases."""

    KEY = "key"  # SHA-256 of an API key, in hex
    SUBDOMAIN = "subdomain"
    SKELETON = "skeleton"  # of a subdomain: equal for subdomains that look alike
    EMAIL_DOMAIN = "email_domain"  # a proven one
    CUSTOM_DOMAIN = "custom_domain"  # a proven one


class Entry(NamedTuple):
    """A value of the catalogue."""

    kind: EntryKind
    value: str


# Markers in `catalogue_entries`, with the id PLATFORM_LOG. If ENTERING exists, each new value is claimed. If ENTERED
# exists for a kind, all values of that kind have an entry. Then a value without an entry does not exist.
ENTERING: Final = Entry(EntryKind.KEY, "+")
ENTERED: Final = "*"  # one per kind


def parse_databases(text: str) -> Mapping[str, str]:
    """Return the URLs in a secret by the names of their databases, the catalogue first.

    A secret with one line has the URL of the only database, with or without its name.

    Raises:
        DatabaseListError: one of several lines has no name, or the first one is not the catalogue.
    """
    lines = text.strip().splitlines()
    first, _, url = text.strip().partition(" ")
    if len(lines) <= 1 and not ("://" in url and HOME_NAME.fullmatch(first)):
        return {CATALOGUE: text}
    urls: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        name, _, url = line.strip().partition(" ")
        if not HOME_NAME.fullmatch(name) or not url.strip():
            raise DatabaseListError(f"has no name or no URL in line {number}")
        if name in urls:
            raise DatabaseListError(f"has the name {name} twice")
        urls[name] = url.strip()
    if next(iter(urls)) != CATALOGUE:
        raise DatabaseListError("has another first name")
    return urls


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
