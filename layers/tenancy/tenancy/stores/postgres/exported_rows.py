"""The rows of an organization for its export: one page at a time, by id, without secrets."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.users import USER_COLUMNS

# The tables with rows of organizations that no section of an export reads, each with the reason. A test compares both
# with the catalog.
NOT_EXPORTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "outbox": "side effects that are pending for minutes",
        "exports": "GET /v1/exports lists them, and each has its manifest",
        "export_files": "the manifest lists them",
        "erasures": "GET /v1/erasures lists them; they name no data subject",
        "dead_letters": "messages of the platform that could not be read, kept for 14 days",
        "provisioning_requests": "encrypted answers for a retry, kept for a day",
        "idempotent_requests": "encrypted answers for a retry, kept for a day",
        "audit_refusals": "audit_log has them after two minutes",
        "audit_heads": "audit_log has all seals",
        "audit_checkpoints": "GET /v1/audit/verify shows them with their signature",
        "catalogue_entries": "look-ups of values that other sections have",
        "quota_notices": "thresholds of the usage that the section usage has",
        "usage_reservations": "usage that is set aside; ledger has what was committed",
        "usage_totals": "sums of ledger",
        "measurements": "counts of events and held_events, which are exported",
        "tier_changes": "audit_log has the changes",
        "key_digests": "digests of keys",
        "organization_names": "a copy of columns of organizations",
        "proven_email_domains": "a copy of columns of email_domains",
        "certificate_requests": "times of requests to AWS in 30 days; custom_domains has the domains",
        "listed_custom_domains": "a copy of columns of custom_domains",
        "deletion_certificates": "of organizations that are erased",
        "one_time_tokens": "digests of secrets that expire within days",
        "refresh_tokens": "digests of secrets; the sessions are exported",
        "sso_assertions": "digests of assertions until they expire",
        "sso_log_ins": "digests of secrets that expire within minutes; audit_log has the log-ins",
    }
)
FIND_ORGANIZATION: Final = """
    SELECT id, name, subdomain, tier, overrides, status, key_rotation_days, created_at, updated_at
    FROM organizations WHERE id = %s
"""
LIST_USERS: Final = (
    "SELECT "
    + USER_COLUMNS
    + """
    FROM users
    WHERE organization_id = %(organization_id)s AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id LIMIT %(limit)s
"""
)
LIST_SESSIONS: Final = """
    SELECT id, user_id, created_at, refreshed_at, expires_at, ended_at FROM sessions
    WHERE organization_id = %(organization_id)s AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id LIMIT %(limit)s
"""
LIST_APPS: Final = """
    SELECT id, name, platform, status, created_at FROM apps
    WHERE organization_id = %(organization_id)s AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id LIMIT %(limit)s
"""
LIST_KEYS: Final = """
    SELECT id, type, app_id, name, prefix, hint, scopes, created_at, last_used_at, expires_at, revoked_at, replaced_by
    FROM api_keys
    WHERE organization_id = %(organization_id)s AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id LIMIT %(limit)s
"""
LIST_SSO_CONNECTIONS: Final = """
    SELECT id, type, issuer, client_id, realm_id, sign_in_url, metadata_url, default_role, required, redirect_uris,
           created_at, updated_at
    FROM sso_connections
    WHERE organization_id = %(organization_id)s AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id LIMIT %(limit)s
"""
LIST_SSO_IDENTITIES: Final = """
    SELECT id, user_id, type, issuer, realm_id, subject, created_at FROM sso_identities
    WHERE organization_id = %(organization_id)s AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id LIMIT %(limit)s
"""
LIST_EMAIL_DOMAINS: Final = """
    SELECT id, domain, created_at, verified_at, missing_since FROM email_domains
    WHERE organization_id = %(organization_id)s AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id LIMIT %(limit)s
"""
LIST_BRANDING: Final = """
    SELECT primary_color, secondary_color, accent_color, css_variables, sender_name, sender_address, updated_at
    FROM tenant_branding WHERE organization_id = %s
"""
LIST_BRANDING_IMAGES: Final = """
    SELECT slot, media_type, encode(digest, 'hex') AS sha256, stored_at,
           translate(encode(content, 'base64'), E'\\n', '') AS content_base64
    FROM branding_images WHERE organization_id = %s ORDER BY slot
"""
LIST_CUSTOM_DOMAINS: Final = """
    SELECT id, domain, status, created_at, checked_at, verified_at, missing_since, active_at FROM custom_domains
    WHERE organization_id = %(organization_id)s AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id LIMIT %(limit)s
"""
LIST_LEDGER: Final = """
    SELECT id, metric, metric_date, amount, created_at FROM usage_ledger
    WHERE organization_id = %(organization_id)s AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id LIMIT %(limit)s
"""
# The address of an operator belongs to the platform. GET /v1/audit hides it, too.
LIST_AUDIT: Final = """
    SELECT l.id, l.occurred_at, l.actor_kind, l.actor_id,
           CASE WHEN l.actor_kind <> 'operator' THEN p.source_address END AS source_address,
           l.action, l.target, l.outcome, l.code, l.count, l.request_id, l.sequence, encode(l.seal, 'hex') AS seal
    FROM audit_log AS l
    LEFT JOIN audit_people AS p ON p.organization_id = l.organization_id AND p.record_id = l.id
    WHERE l.organization_id = %(organization_id)s AND (%(after)s::uuid IS NULL OR l.id > %(after)s)
    ORDER BY l.id LIMIT %(limit)s
"""

type Rows = list[dict[str, Any]]


def find_own_organization(conn: Connection, organization_id: UUID) -> dict[str, Any] | None:
    """Return the row of the organization itself."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(FIND_ORGANIZATION, (organization_id,)).fetchone()


def list_users(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Return at most *limit* users with an id larger than *after*, without password hashes."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_USERS, _page(organization_id, after, limit)).fetchall()


def list_sessions(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Return at most *limit* sessions with an id larger than *after*, without tokens."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_SESSIONS, _page(organization_id, after, limit)).fetchall()


def list_apps(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Return at most *limit* apps with an id larger than *after*."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_APPS, _page(organization_id, after, limit)).fetchall()


def list_keys(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Return at most *limit* API keys with an id larger than *after*, without digests."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_KEYS, _page(organization_id, after, limit)).fetchall()


def list_sso_connections(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Return the connection for single sign-on, without its client secret."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_SSO_CONNECTIONS, _page(organization_id, after, limit)).fetchall()


def list_sso_identities(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Return at most *limit* subjects of members with an id larger than *after*."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_SSO_IDENTITIES, _page(organization_id, after, limit)).fetchall()


def list_email_domains(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Return at most *limit* e-mail domains with an id larger than *after*, without the tokens of their proofs."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_EMAIL_DOMAINS, _page(organization_id, after, limit)).fetchall()


def list_branding(conn: Connection, organization_id: UUID) -> Rows:
    """Return the branding, without its images."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_BRANDING, (organization_id,)).fetchall()


def list_branding_images(conn: Connection, organization_id: UUID) -> Rows:
    """Return the images of the branding, at most two."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_BRANDING_IMAGES, (organization_id,)).fetchall()


def list_custom_domains(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Return at most *limit* custom domains with an id larger than *after*, without the tokens of their proofs."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_CUSTOM_DOMAINS, _page(organization_id, after, limit)).fetchall()


def list_ledger(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Return at most *limit* ledger entries with an id larger than *after*."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_LEDGER, _page(organization_id, after, limit)).fetchall()


def list_audit(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Return at most *limit* audit log entries with an id larger than *after*."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_AUDIT, _page(organization_id, after, limit)).fetchall()


def _page(organization_id: UUID, after: UUID | None, limit: int) -> dict[str, object]:
    return {"organization_id": organization_id, "after": after, "limit": limit}
