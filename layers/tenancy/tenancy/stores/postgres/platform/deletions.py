"""Deletions of organizations: mark, restore, tombstone, anonymize, certify."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row, kwargs_row
from psycopg.types.json import Jsonb

from tenancy.rules.deletion import Certificate, Deletion
from tenancy.rules.organization import Organization
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.platform.organizations import ORGANIZATION_COLUMNS, organization_of
from tenancy.stores.postgres.platform.outbox import NEW_ENTRY_COLUMNS

DELETION_COLUMNS: Final = """
    id AS organization_id, deletion_generation AS generation, deleted_at, purge_at, gate_closed_at AS tombstone_at,
    erased_at
"""
# updated_at grows with every change, also if the clock is behind. It is the version of the standing in Redis.
UPDATE_DELETED: Final = (
    """
    UPDATE organizations SET
        status = 'deleted', status_before_deletion = status, deletion_generation = deletion_generation + 1,
        deleted_at = %(now)s, purge_at = %(purge_at)s, deletion_reason = %(reason)s, token_epoch = token_epoch + 1,
        updated_at = greatest(%(now)s, updated_at + interval '1 microsecond')
    WHERE id = %(organization_id)s
    RETURNING """
    + ORGANIZATION_COLUMNS
)
UPDATE_RESTORED: Final = (
    """
    UPDATE organizations SET
        status = coalesce(status_before_deletion, 'suspended'), status_before_deletion = NULL, deleted_at = NULL,
        purge_at = NULL, deletion_reason = NULL, updated_at = greatest(%(now)s, updated_at + interval '1 microsecond')
    WHERE id = %(organization_id)s
    RETURNING """
    + ORGANIZATION_COLUMNS
)
UPDATE_ERASING: Final = """
    UPDATE organizations SET
        status = 'erasing', gate_closed_at = %(now)s,
        updated_at = greatest(%(now)s, updated_at + interval '1 microsecond')
    WHERE id = %(organization_id)s
"""
# The subdomain becomes the id, which no organization can request. The address is kept for the last mail, unless one is
# kept already or the mail was sent: an organization that is erased again has no address.
UPDATE_ANONYMOUS: Final = """
    UPDATE organizations SET
        name = 'erased', subdomain = id::text, gateway_key = id::text, overrides = '{}', deletion_reason = NULL,
        last_contact = CASE WHEN erased_at IS NULL THEN coalesce(last_contact, (
            SELECT u.email FROM users AS u
            WHERE u.organization_id = %(organization_id)s AND u.role = 'super_admin' AND u.status = 'active'
            ORDER BY u.created_at, u.id LIMIT 1
        )) END
    WHERE id = %(organization_id)s
"""
UPDATE_ERASED: Final = """
    UPDATE organizations SET
        status = 'erased', erased_at = %(now)s, last_contact = NULL,
        updated_at = greatest(%(now)s, updated_at + interval '1 microsecond')
    WHERE id = %(organization_id)s
"""
FIND_DELETION: Final = (
    "SELECT "
    + DELETION_COLUMNS
    + """
    FROM organizations WHERE id = %s AND status IN ('deleted', 'erasing', 'erased')
"""
)
FIND_LAST_CONTACT: Final = "SELECT last_contact FROM organizations WHERE id = %s"
LIST_ENDING: Final = "SELECT id FROM organizations WHERE id = ANY(%s) AND status IN ('erasing', 'erased')"
LIST_TOMBSTONE_TIMES: Final = "SELECT id, gate_closed_at FROM organizations WHERE status IN ('erasing', 'erased')"
LIST_OVERDUE: Final = (
    "SELECT "
    + DELETION_COLUMNS
    + """
    FROM organizations AS o
    WHERE o.status IN ('deleted', 'erasing') AND o.purge_at < %(purged_before)s
       OR o.status = 'erased' AND o.erased_at < %(erased_before)s AND 2 > (
           SELECT count(*) FROM deletion_certificates AS c WHERE c.organization_id = o.id
       )
    ORDER BY o.purge_at
"""
)
INSERT_MAILS: Final = (
    "INSERT INTO outbox ("
    + NEW_ENTRY_COLUMNS
    + """)
    SELECT u.organization_id, %(kind)s, %(payload)s::jsonb || jsonb_build_object('to', u.email), %(due_at)s
    FROM users AS u WHERE u.organization_id = %(organization_id)s AND u.status = 'active' ORDER BY u.email
"""
)
CERTIFICATE_COLUMNS: Final = "id, organization_id, generation, issued_at, text, signature"
INSERT_CERTIFICATE: Final = (
    "INSERT INTO deletion_certificates (" + CERTIFICATE_COLUMNS + ") VALUES (%s, %s, %s, %s, %s, %s)"
)
MAX_LATER_CERTIFICATES: Final = 20
LIST_CERTIFICATES: Final = (
    """
    WITH own AS (
        SELECT id, organization_id, generation, issued_at, text::text, signature,
               row_number() OVER (ORDER BY issued_at, id) AS number, count(*) OVER () AS total
        FROM deletion_certificates WHERE organization_id = %(organization_id)s
    )
    SELECT """
    + CERTIFICATE_COLUMNS
    + """ FROM own WHERE number = 1 OR number > total - %(later)s ORDER BY number
"""
)


def update_deleted(
    conn: Connection, organization_id: UUID, *, reason: str, now: datetime, purge_at: datetime
) -> Organization:
    """Mark the organization as deleted, and begin a new generation of its deletion.

    Its token epoch grows, so the tokens of its people become invalid.
    """
    values = {"organization_id": organization_id, "reason": reason, "now": now, "purge_at": purge_at}
    with conn.cursor(row_factory=kwargs_row(organization_of)) as cursor:
        return cursor.execute(UPDATE_DELETED, values).fetchall()[0]


def update_restored(conn: Connection, organization_id: UUID, *, now: datetime) -> Organization:
    """Set the organization back to the status that it had before the deletion."""
    with conn.cursor(row_factory=kwargs_row(organization_of)) as cursor:
        return cursor.execute(UPDATE_RESTORED, {"organization_id": organization_id, "now": now}).fetchall()[0]


def update_erasing(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
    """Mark the organization as erasing, with a tombstone. It cannot be restored any more."""
    conn.execute(UPDATE_ERASING, {"organization_id": organization_id, "now": now})


def update_anonymous(conn: Connection, organization_id: UUID) -> None:
    """Make the organization's row anonymous.

    The address of its first super_admin is kept until the last mail is sent.
    """
    conn.execute(UPDATE_ANONYMOUS, {"organization_id": organization_id})


def update_erased(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
    """Mark the organization as erased, and delete the last address."""
    conn.execute(UPDATE_ERASED, {"organization_id": organization_id, "now": now})


def find_deletion(conn: Connection, organization_id: UUID) -> Deletion | None:
    """Return the deletion of the organization, or None if it is not being deleted."""
    with conn.cursor(row_factory=class_row(Deletion)) as cursor:
        return cursor.execute(FIND_DELETION, (organization_id,)).fetchone()


def get_deletion(conn: Connection, organization_id: UUID) -> Deletion:
    """Return the deletion of an organization that is being deleted."""
    with conn.cursor(row_factory=class_row(Deletion)) as cursor:
        [deletion] = cursor.execute(FIND_DELETION, (organization_id,)).fetchall()
    return deletion


def find_last_contact(conn: Connection, organization_id: UUID) -> str | None:
    """Return the address for the last mail, or None without one."""
    row = conn.execute(FIND_LAST_CONTACT, (organization_id,)).fetchone()
    return row[0] if row else None


def list_erasing(conn: Connection, organization_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of *organization_ids* that are being erased or were erased."""
    return {found for (found,) in conn.execute(LIST_ENDING, (list(organization_ids),))}


def list_tombstone_times(conn: Connection) -> Mapping[UUID, datetime]:
    """Return the organizations that are erased or being erased, with their tombstone times."""
    return dict(conn.execute(LIST_TOMBSTONE_TIMES).fetchall())


def list_overdue(conn: Connection, *, purged_before: datetime, erased_before: datetime) -> list[Deletion]:
    """Return deletions that are overdue.

    They are deletions whose grace period ended before *purged_before* and that are not finished, and erasures that were
    finished before *erased_before* and not counted again.
    """
    values = {"purged_before": purged_before, "erased_before": erased_before}
    with conn.cursor(row_factory=class_row(Deletion)) as cursor:
        return cursor.execute(LIST_OVERDUE, values).fetchall()


def insert_mails(
    conn: Connection, organization_id: UUID, kind: str, payload: Mapping[str, str], *, due_at: datetime
) -> None:
    """Enqueue a mail of *kind* to each active user of the organization, in one statement."""
    values = {"organization_id": organization_id, "kind": kind, "payload": Jsonb(payload), "due_at": due_at}
    conn.execute(INSERT_MAILS, values)


def insert_certificate(conn: Connection, certificate: Certificate) -> None:
    """Store a certificate permanently."""
    conn.execute(
        INSERT_CERTIFICATE,
        (
            certificate.id,
            certificate.organization_id,
            certificate.generation,
            certificate.issued_at,
            certificate.text,
            certificate.signature,
        ),
    )


def list_certificates(conn: Connection, organization_id: UUID) -> list[Certificate]:
    """Return the organization's certificates: the first, then those of the 20 latest counts."""
    values = {"organization_id": organization_id, "later": MAX_LATER_CERTIFICATES}
    with conn.cursor(row_factory=class_row(Certificate)) as cursor:
        return cursor.execute(LIST_CERTIFICATES, values).fetchall()
