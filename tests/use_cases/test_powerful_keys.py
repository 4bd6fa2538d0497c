"""The documented query lists the live keys of earlier releases that manage credentials."""

import re

import psycopg

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import ROOT, Databases
from tests.handlers.functions import superuser

HEADING = "### Upgrade a stack whose first secret keys manage credentials\n"
GRANT = "UPDATE api_keys SET scopes = scopes || ARRAY['users:write', 'keys:write'] WHERE id = %s"
FORCED = "SELECT relforcerowsecurity FROM pg_class WHERE oid = 'api_keys'::regclass"


def statements() -> list[str]:
    section = (ROOT / "docs/operations.md").read_text().split(HEADING)[1].split("\n### ")[0]
    [block] = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    return [each.strip() for each in block.split(";") if each.strip()]


def listed(databases: Databases) -> list[tuple[object, ...]]:
    """Run the documented statements as the owner, and return the rows."""
    with superuser(databases) as conn:
        conn.execute("SET ROLE tenancy_owner")
        cursors: list[psycopg.Cursor] = [conn.execute(each.encode()) for each in statements()]
        assert conn.execute(FORCED).fetchone() == (True,)
    return [row[:2] for cursor in cursors if cursor.description for row in cursor]


def test_query_lists_live_keys_that_manage_credentials(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with superuser(databases) as conn:
        for key_id in (acme.secret_key_id, globex.secret_key_id):
            conn.execute(GRANT, (key_id,))
        conn.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", (globex.secret_key_id,))

    assert listed(databases) == [(acme.organization.id, acme.secret_key_id)]


def test_query_lists_no_first_key_of_this_release(databases: Databases, acme: Provisioned) -> None:  # noqa: ARG001
    assert listed(databases) == []
