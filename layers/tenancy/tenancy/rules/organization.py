"""The customer as stored: its states, and what its name and subdomain may look like."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

from tenancy.rules.tiers import Tier

NAME_MAX_CHARACTERS: Final = 255
GENERATION_CHARACTERS: Final = 16
SUBDOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED_SUBDOMAINS: Final = frozenset({
    "abuse", "account", "accounts", "admin", "administrator", "api", "app", "apps", "assets", "audit", "auth",
    "autoconfig", "autodiscover", "billing", "blog", "cdn", "client", "console", "contact", "dashboard", "demo", "dev",
    "developer", "developers", "dns", "docs", "download", "email", "events", "ftp", "gateway", "help", "helpdesk",
    "home", "hostmaster", "imap", "info", "ingest", "internal", "invoice", "isatap", "legal", "localhost", "login",
    "logout", "mail", "media", "monitoring", "mx", "noreply", "ns", "ns1", "ns2", "ns3", "ns4", "oauth", "operator",
    "password", "payment", "payments", "platform", "pop", "portal", "postmaster", "privacy", "production", "proxy",
    "register", "root", "saml", "sandbox", "secure", "security", "sftp", "signin", "signup", "smtp", "ssl", "sso",
    "staff", "staging", "static", "stats", "status", "support", "sysadmin", "system", "test", "tracking", "upload",
    "usage", "verify", "vpn", "webhook", "webhooks", "webmail", "webmaster", "wpad", "www",
})  # fmt: skip
# What one takes for the other in a browser's address bar.
CONFUSABLE_CHARACTERS: Final = str.maketrans("01i", "oll")
CONFUSABLE_PAIRS: Final = (("rn", "m"), ("vv", "w"))
# An erased organization's subdomain is its own id: the skeleton of a UUID.
ANONYMIZED_SUBDOMAIN: Final = re.compile(r"[ol2-9a-f]{8}(?:-[ol2-9a-f]{4}){3}-[ol2-9a-f]{12}")


class OrganizationStatus(StrEnum):
    """Where an organization is in its life; only an active one is served."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"
    ERASING = "erasing"
    ERASED = "erased"


CHANGEABLE: Final = frozenset({OrganizationStatus.ACTIVE, OrganizationStatus.SUSPENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """An organization as the database knows it; times are UTC."""

    id: UUID
    name: str
    subdomain: str
    tier: Tier
    status: OrganizationStatus
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    purge_at: datetime | None
    deletion_reason: str | None


def is_subdomain(text: str) -> bool:
    """Whether *text* is one DNS label in lower case (RFC 1035, with RFC 1123's leading digits), no punycode."""
    return SUBDOMAIN.fullmatch(text) is not None and not text.startswith("xn--")


def parse_name(text: str) -> str:
    """Return *text* as names are kept: composed (NFC), without spaces around it.

    Raises:
        ValueError: it is not one line of 1 to 255 printable characters.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not name.isprintable() or not 1 <= len(name) <= NAME_MAX_CHARACTERS:
        raise ValueError(f"A name is one line of 1 to {NAME_MAX_CHARACTERS} printable characters.")
    return name


def subdomain_skeleton(subdomain: str) -> str:
    """Return what subdomains that look the same have in common; organizations.subdomain_skeleton is its twin in SQL."""
    looks = subdomain.translate(CONFUSABLE_CHARACTERS)
    for pair, single in CONFUSABLE_PAIRS:
        looks = looks.replace(pair, single)
    return looks


RESERVED_SKELETONS: Final = frozenset(map(subdomain_skeleton, RESERVED_SUBDOMAINS))


def is_reserved(subdomain: str) -> bool:
    """Whether *subdomain* is the platform's own name, could be taken for one (`adm1n`, `log-in`), or a tombstone's."""
    looks = subdomain_skeleton(subdomain)
    return looks.replace("-", "") in RESERVED_SKELETONS or ANONYMIZED_SUBDOMAIN.fullmatch(looks) is not None


def subdomain_digest(subdomain: str) -> bytes:
    """Return the SHA-256 by which the quarantine knows *subdomain*, and what looks like it."""
    return sha256(subdomain_skeleton(subdomain).encode()).digest()


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
