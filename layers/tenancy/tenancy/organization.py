"""The customer as stored: its states, and what its name and subdomain may look like."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

from tenancy.tiers import Tier

NAME_MAX_CHARACTERS: Final = 255
GENERATION_CHARACTERS: Final = 16
SUBDOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED_SUBDOMAINS: Final = frozenset({
    "admin", "api", "app", "assets", "auth", "billing", "blog", "cdn", "console", "dashboard", "docs", "ftp", "help",
    "internal", "login", "mail", "mx", "ns1", "ns2", "platform", "root", "security", "smtp", "sso", "static", "status",
    "support", "system", "test", "www",
})  # fmt: skip


class Status(StrEnum):
    """Where an organization is in its life; only an active one is served."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"
    ERASING = "erasing"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """An organization as the database knows it; times are UTC."""

    id: UUID
    name: str
    subdomain: str
    tier: Tier
    status: Status
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    purge_at: datetime | None = None
    deletion_reason: str | None = None


def is_subdomain(text: str) -> bool:
    """Whether *text* is one DNS label in lower case (RFC 1035, with RFC 1123's leading digits), no punycode."""
    return SUBDOMAIN.fullmatch(text) is not None and not text.startswith("xn--")


def gateway_key_value(organization_id: UUID, generation: int | str) -> str:
    """Name the key that API Gateway meters an organization by.

    It is no credential: the API takes it from the authorizer alone (`ApiKeySourceType: AUTHORIZER`). 20 to 128
    characters are demanded; a change of tier makes the next generation.
    """
    return f"organization-{organization_id}-{generation}"


def next_gateway_key(organization_id: UUID, gateway_key: str, tier: Tier) -> str:
    """Return the key that follows *gateway_key* when the tier changes: always the same one, and in one plan only."""
    digest = sha256(f"{gateway_key} {tier}".encode()).hexdigest()
    return gateway_key_value(organization_id, digest[:GENERATION_CHARACTERS])
