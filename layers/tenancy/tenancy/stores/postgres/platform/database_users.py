"""The two users of a role. The first one is the role itself. The second one is its only member."""

from typing import Final

from psycopg import sql

from tenancy.stores.postgres.client import Connection

HAS_USER: Final = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)"
CREATE_USER: Final = (
    "CREATE ROLE {user} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION PASSWORD {verifier}"
)
SET_PASSWORD: Final = "ALTER ROLE {user} PASSWORD {verifier}"  # noqa: S105 - a statement
# With the rights of the role, and without SET ROLE: a policy for the role applies to its member.
GRANT_ROLE: Final = "GRANT {role} TO {user} WITH INHERIT TRUE, SET FALSE"
LIST_SETTINGS: Final = "SELECT unnest(rolconfig) FROM pg_roles WHERE rolname = %s"
SET_SETTING: Final = "ALTER ROLE {user} SET {name} = {value}"
HAS_RIGHTS: Final = "SELECT pg_has_role(session_user, %s, 'USAGE')"
VERIFIER: Final = b"scram-sha-256"


def put_user(conn: Connection, user: str, password: str, *, role: str) -> None:
    """Give *user* a log-in with *password*, and the rights and settings of *role*. Idempotent.

    *conn* is the owner's, who made the role. PostgreSQL gets a verifier, so its log never has the password.
    """
    verifier = sql.Literal(conn.pgconn.encrypt_password(password.encode(), user.encode(), VERIFIER).decode())
    [exists] = conn.execute(HAS_USER, (user,)).fetchone() or (False,)
    statement = SET_PASSWORD if exists else CREATE_USER
    conn.execute(sql.SQL(statement).format(user=sql.Identifier(user), verifier=verifier))
    if user == role:
        return
    conn.execute(sql.SQL(GRANT_ROLE).format(user=sql.Identifier(user), role=sql.Identifier(role)))
    for (setting,) in conn.execute(LIST_SETTINGS, (role,)).fetchall():
        name, _, value = str(setting).partition("=")
        change = sql.SQL(SET_SETTING)
        conn.execute(change.format(user=sql.Identifier(user), name=sql.Identifier(name), value=sql.Literal(value)))


def has_rights_of(conn: Connection, role: str) -> bool:
    """Tell whether the user of *conn* has the rights of *role*."""
    [has_them] = conn.execute(HAS_RIGHTS, (role,)).fetchone() or (False,)
    return bool(has_them)
