"""Mutants of the statements on apps, keys and repeated requests."""

from typing import Final

from scripts.prove import expected_tests
from scripts.prove.mutant import CORE, Mutant

MUTANTS: Final = (
    Mutant(
        name="the list of keys does not filter by organization",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/api_keys.py",
        old="WHERE organization_id = %(organization_id)s\n      AND (%(before_time)s",
        new="WHERE (organization_id = %(organization_id)s OR true)\n      AND (%(before_time)s",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="the number of live keys is that of all organizations",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/api_keys.py",
        old="WHERE organization_id = %s AND revoked_at IS NULL AND (",
        new="WHERE (organization_id = %s OR true) AND revoked_at IS NULL AND (",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="a key of another organization is found",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/api_keys.py",
        old='FIND_API_KEY: Final = SELECT_API_KEY + " WHERE organization_id = %s AND id = %s"',
        new='FIND_API_KEY: Final = SELECT_API_KEY + " WHERE (organization_id = %s OR true) AND id = %s"',
        caught_by=expected_tests.FOREIGN_ROWS,
    ),
    Mutant(
        name="a key of another organization is locked",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/api_keys.py",
        old='FIND_API_KEY + " FOR NO KEY UPDATE"',
        new='SELECT_API_KEY + " WHERE (organization_id = %s OR true) AND id = %s FOR NO KEY UPDATE"',
        caught_by=expected_tests.FOREIGN_ROWS,
    ),
    Mutant(
        name="a key of another organization is revoked",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/api_keys.py",
        old="WHERE organization_id = %s AND id = %s AND revoked_at IS NULL\n",
        new="WHERE (organization_id = %s OR true) AND id = %s AND revoked_at IS NULL\n",
        caught_by=expected_tests.FOREIGN_ROWS,
    ),
    Mutant(
        name="a key of another organization is replaced",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/api_keys.py",
        old="WHERE organization_id = %(organization_id)s AND id = %(key_id)s",
        new="WHERE %(organization_id)s IS NOT NULL AND id = %(key_id)s",
        caught_by=expected_tests.FOREIGN_ROWS,
    ),
    Mutant(
        name="keys of another organization's app are revoked",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/api_keys.py",
        old="WHERE organization_id = %(organization_id)s AND app_id = %(app_id)s",
        new="WHERE (organization_id = %(organization_id)s OR true) AND app_id = %(app_id)s",
        caught_by=expected_tests.FOREIGN_ROWS,
    ),
    Mutant(
        name="the list of apps does not filter by organization",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/apps.py",
        old="WHERE organization_id = %(organization_id)s AND status = 'active'\n      AND",
        new="WHERE (organization_id = %(organization_id)s OR true) AND status = 'active'\n      AND",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="an app of another organization gets a key",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/apps.py",
        old="WHERE organization_id = %s AND id = %s AND status = 'active' FOR SHARE",
        new="WHERE (organization_id = %s OR true) AND id = %s AND status = 'active' FOR SHARE",
        caught_by=expected_tests.FOREIGN_ROWS,
    ),
    Mutant(
        name="an app of another organization is changed",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/apps.py",
        old="WHERE organization_id = %(organization_id)s AND id = %(app_id)s AND status",
        new="WHERE (organization_id = %(organization_id)s OR true) AND id = %(app_id)s AND status",
        caught_by=expected_tests.FOREIGN_ROWS,
    ),
    Mutant(
        name="an app of another organization is deleted",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/apps.py",
        old="SET status = 'removed' WHERE organization_id = %s AND id = %s",
        new="SET status = 'removed' WHERE (organization_id = %s OR true) AND id = %s",
        caught_by=expected_tests.FOREIGN_ROWS,
    ),
    Mutant(
        name="the rotation policy of all organizations is changed",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/organizations.py",
        old="SET key_rotation_days = %s WHERE id = %s",
        new="SET key_rotation_days = %s WHERE (id = %s OR true)",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="an Idempotency-Key finds the answer of another organization",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/idempotent_requests.py",
        old="WHERE organization_id = %s AND credential_id = %s AND key_digest = %s AND created_at >= %s",
        new="WHERE (organization_id = %s OR true) AND credential_id = %s AND key_digest = %s AND created_at >= %s",
        caught_by=expected_tests.REPEATED_ANSWER,
    ),
)
