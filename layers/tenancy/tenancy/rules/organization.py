"""Organizations: their states, and the rules for names, subdomains and gateway keys."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

from tenancy.rules.entitlements import Entitlements, Overrides
from tenancy.rules.tiers import Tier
from tenancy.rules.usage_plans import UsagePlan

GENERATION_CHARACTERS: Final = 16
SUBDOMAIN_MAX_CHARACTERS: Final = 63  # of a DNS label
SUBDOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED_LDH: Final = re.compile(r"..--")  # begins a Punycode label, or one of a later encoding
# The platform's own hosts. They name no organization, so no organization ever had one of them.
RESERVED_SUBDOMAINS: Final = frozenset({
    "abuse", "account", "accounts", "admin", "administrator", "api", "app", "apps", "assets", "audit", "auth",
    "autoconfig", "autodiscover", "billing", "blog", "cdn", "client", "console", "contact", "dashboard", "demo", "dev",
    "developer", "developers", "dns", "docs", "domains", "download", "email", "events", "ftp", "gateway", "help",
    "helpdesk", "home", "hostmaster", "imap", "info", "ingest", "internal", "invoice", "isatap", "legal", "localhost",
    "login", "logout", "mail", "media", "monitoring", "mx", "noreply", "ns", "ns1", "ns2", "ns3", "ns4", "oauth",
    "operator", "password", "payment", "payments", "platform", "pop", "portal", "postmaster", "privacy", "production",
    "proxy", "register", "root", "saml", "sandbox", "secure", "security", "sftp", "signin", "signup", "smtp", "ssl",
    "sso", "staff", "staging", "static", "stats", "status", "support", "sysadmin", "system", "test", "tracking",
    "upload", "usage", "verify", "vpn", "webhook", "webhooks", "webmail", "webmaster", "wpad", "www",
})  # fmt: skip
# Characters and pairs that look alike in the address bar of a browser.
CONFUSABLE_CHARACTERS: Final = str.maketrans("01i", "oll")
CONFUSABLE_PAIRS: Final = (("rn", "m"), ("vv", "w"))


class OrganizationStatus(StrEnum):
    """The status of an organization.

    Only requests of an active organization are admitted.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"
    ERASING = "erasing"
    ERASED = "erased"

    @property
    def sentence(self) -> str:
        """The status as a sentence for people."""
        return f"The organization is {'being erased' if self is OrganizationStatus.ERASING else self}."


CHANGEABLE: Final = frozenset({OrganizationStatus.ACTIVE, OrganizationStatus.SUSPENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A stored organization.

    Times are UTC. An answer that an earlier release stored has no *overrides*.
    """

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
    overrides: Overrides = field(default_factory=dict, hash=False)

    @property
    def entitlements(self) -> Entitlements:
        """The quotas of the tier, with the overrides applied."""
        return Entitlements(tier=self.tier, overrides=self.overrides)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrganization:
    """An organization as its own members and keys see it.

    A key is to be rotated after *key_rotation_days*. None is never.
    """

    id: UUID
    name: str
    subdomain: str
    entitlements: Entitlements
    status: OrganizationStatus
    created_at: datetime
    key_rotation_days: int | None


def is_subdomain(text: str) -> bool:
    """Whether *text* is one DNS label in lower case that encodes nothing.

    The form is that of RFC 1035. A leading digit is allowed (RFC 1123). A label with hyphens in the third and fourth
    place is Punycode (`xn--`) or reserved (RFC 5890, 2.3.1, and RFC 5891, 4.2.3.1).
    """
    return SUBDOMAIN.fullmatch(text) is not None and RESERVED_LDH.match(text) is None


def subdomain_skeleton(subdomain: str) -> str:
    """Return the skeleton of *subdomain*.

    Subdomains that look alike have the same one. The column `organizations.subdomain_skeleton` computes the same in
    SQL.
    """
    looks = subdomain.translate(CONFUSABLE_CHARACTERS)
    for pair, single in CONFUSABLE_PAIRS:
        looks = looks.replace(pair, single)
    return looks


def subdomain_digest(subdomain: str) -> bytes:
    """Return the SHA-256 of the skeleton, under which the quarantine stores *subdomain*."""
    return sha256(subdomain_skeleton(subdomain).encode()).digest()


def gateway_key_value(organization_id: UUID, generation: int | str) -> str:
    """Return the gateway key of an organization, by which API Gateway meters it.

    API Gateway requires 20 to 128 characters. The key is no credential: API Gateway takes it from the authorizer only
    (`ApiKeySourceType: AUTHORIZER`). A change of the usage plan makes the next *generation*.
    """
    return f"organization-{organization_id}-{generation}"


def next_gateway_key(organization_id: UUID, gateway_key: str, plan: UsagePlan) -> str:
    """Return the gateway key that follows *gateway_key* when the organization moves to *plan*.

    Equal arguments give the same key, so that a retry makes no second one. Each key belongs to one usage plan.
    """
    digest = sha256(f"{gateway_key} {plan}".encode()).hexdigest()
    return gateway_key_value(organization_id, digest[:GENERATION_CHARACTERS])
