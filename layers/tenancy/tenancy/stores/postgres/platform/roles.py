"""The database and the roles of a new cluster. Each function is idempotent, also after a crash between statements.

Passwords are sent as SCRAM verifiers, so neither the server nor its log ever has their texts.
"""

import socket
from typing import Final

import psycopg
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tenancy.errors import DeploymentError
from tenancy.rules.data_stores import ServerAddress, ServerUser
from tenancy.rules.durations import POSTGRES_CONNECT_TIMEOUT_SECONDS
from tenancy.stores.postgres.client import Connection

HAS_ROLE: Final = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)"
HAS_DATABASE: Final = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)"
CREATE_OWNER: Final = "CREATE ROLE {role} LOGIN CREATEROLE PASSWORD {verifier}"
CREATE_LOGIN: Final = "CREATE ROLE {role} LOGIN PASSWORD {verifier}"
SET_PASSWORD: Final = "ALTER ROLE {role} LOGIN PASSWORD {verifier}"  # noqa: S105 - a statement
CREATE_GROUP: Final = "CREATE ROLE {role} NOLOGIN"
# The creator of a role administers it and is no member. To give it objects, the creator needs SET (PostgreSQL 16).
GRANT_SET: Final = "GRANT {role} TO CURRENT_USER WITH SET TRUE, INHERIT FALSE"
# A policy for a role applies to its member, which has the rights of the role and cannot become the role.
GRANT_RIGHTS: Final = "GRANT {role} TO {member} WITH INHERIT TRUE, SET FALSE"
LIMIT_STATEMENTS: Final = "ALTER ROLE {role} SET statement_timeout = '10s'"
CREATE_DATABASE: Final = "CREATE DATABASE {database} OWNER {role}"
VERIFIER: Final = b"scram-sha-256"


class ServerUnreachableError(DeploymentError):
    """PostgreSQL does not answer."""

    def __init__(self, address: ServerAddress) -> None:
        """Name the address and the next step."""
        super().__init__(
            f"PostgreSQL at {address} does not answer within {POSTGRES_CONNECT_TIMEOUT_SECONDS} s. Check that the"
            " cluster is available, and that its security group admits the functions. Then deploy again."
        )


class SessionRefusedError(DeploymentError):
    """PostgreSQL answers, but opens no session with TLS."""

    def __init__(self, address: ServerAddress) -> None:
        """Name the address and the next step."""
        super().__init__(
            f"PostgreSQL at {address} answers, but opens no session with TLS. Its certificate must be valid now, for"
            " this host name, and from a root of layers/certificates/aws-roots.pem. Then deploy again."
        )


class LogInRefusedError(DeploymentError):
    """PostgreSQL refuses a role or its password."""

    def __init__(self, address: ServerAddress, role: str, secret: str) -> None:
        """Name the role, its secret and the next step."""
        super().__init__(
            f"PostgreSQL at {address} refuses the password of the role {role}. Store its password in the secret"
            f" {secret}, or give the role the password of the secret. Then deploy again."
        )


class RoleInUseError(DeploymentError):
    """A role belongs to another user of the cluster."""

    def __init__(self, role: str) -> None:
        """Name the role and the next step."""
        super().__init__(
            f"The role {role} exists, and another user created it. As the master user, run"
            f" GRANT {role} TO tenancy_owner WITH ADMIN OPTION, or drop the role. Then deploy again."
        )


def open_session(address: ServerAddress, database: str, log_in: ServerUser, *, secret: str) -> Connection:
    """Connect to *database* with the log-in of *secret*, over TLS with a verified certificate.

    Raises:
        ServerUnreachableError, SessionRefusedError, LogInRefusedError: no session was opened.
    """
    try:
        return psycopg.connect(
            host=address.host,
            port=address.port,
            dbname=database,
            user=log_in.username,
            password=log_in.password,
            sslmode="verify-full",
            connect_timeout=POSTGRES_CONNECT_TIMEOUT_SECONDS,
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        if error.pgconn is not None and error.pgconn.used_password:
            raise LogInRefusedError(address, log_in.username, secret) from error
        if isinstance(error, psycopg.errors.ConnectionTimeout) or not _answers(address):
            raise ServerUnreachableError(address) from error
        raise SessionRefusedError(address) from error


def has_role(conn: Connection, role: str) -> bool:
    """Return whether *role* exists."""
    [exists] = conn.execute(HAS_ROLE, (role,)).fetchone() or (False,)
    return bool(exists)


def ensure_owner(conn: Connection, role: str, password: str) -> None:
    """Create the owner of the database if it is missing. Let it log in with *password* and create roles."""
    verifier = _verifier(conn, role, password)
    if has_role(conn, role):
        _alter(conn, role, sql.SQL(SET_PASSWORD).format(role=sql.Identifier(role), verifier=verifier))
    else:
        conn.execute(sql.SQL(CREATE_OWNER).format(role=sql.Identifier(role), verifier=verifier))
    _alter(conn, role, sql.SQL(GRANT_SET).format(role=sql.Identifier(role)))


def ensure_database(conn: Connection, database: str, owner: str) -> None:
    """Create *database* with the owner *owner* if it is missing."""
    [exists] = conn.execute(HAS_DATABASE, (database,)).fetchone() or (False,)
    if not exists:
        conn.execute(sql.SQL(CREATE_DATABASE).format(database=sql.Identifier(database), role=sql.Identifier(owner)))


def ensure_login(conn: Connection, role: str, password: str) -> None:
    """Create *role* if it is missing, and let it log in with *password*."""
    verifier = _verifier(conn, role, password)
    if has_role(conn, role):
        _alter(conn, role, sql.SQL(SET_PASSWORD).format(role=sql.Identifier(role), verifier=verifier))
    else:
        conn.execute(sql.SQL(CREATE_LOGIN).format(role=sql.Identifier(role), verifier=verifier))


def ensure_member(conn: Connection, member: str, password: str, role: str) -> None:
    """Create *member* if it is missing. Let it log in with *password*, and give it the rights of *role*."""
    ensure_login(conn, member, password)
    grant = sql.SQL(GRANT_RIGHTS).format(role=sql.Identifier(role), member=sql.Identifier(member))
    _alter(conn, role, grant)


def ensure_group(conn: Connection, role: str) -> None:
    """Create *role* without a log-in if it is missing, and let the current user give it objects."""
    if not has_role(conn, role):
        conn.execute(sql.SQL(CREATE_GROUP).format(role=sql.Identifier(role)))
    _alter(conn, role, sql.SQL(GRANT_SET).format(role=sql.Identifier(role)))


def limit_statements(conn: Connection, role: str) -> None:
    """End each statement of *role* after 10 seconds."""
    _alter(conn, role, sql.SQL(LIMIT_STATEMENTS).format(role=sql.Identifier(role)))


def _alter(conn: Connection, role: str, statement: sql.Composed) -> None:
    try:
        conn.execute(statement)
    except InsufficientPrivilege as error:
        raise RoleInUseError(role) from error


def _verifier(conn: Connection, role: str, password: str) -> sql.Literal:
    return sql.Literal(conn.pgconn.encrypt_password(password.encode(), role.encode(), VERIFIER).decode())


def _answers(address: ServerAddress) -> bool:
    """Return whether a server accepts TCP connections at *address*."""
    try:
        socket.create_connection((address.host, address.port), POSTGRES_CONNECT_TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True
