"""Make the roles of a new database cluster, and write the connection URLs that the functions read."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from tenancy.errors import AwsCallError, DeploymentError
from tenancy.rules.data_stores import DATABASE_NAME, DataStores, ServerUser, postgres_url, redis_url
from tenancy.stores.aws.secrets import (
    AUTHORIZER_DATABASE,
    AUTHORIZER_PASSWORD,
    DATABASE,
    FUNCTIONS_PASSWORD,
    OWNER_DATABASE,
    OWNER_PASSWORD,
    PLATFORM_DATABASE,
    PLATFORM_PASSWORD,
    REDIS,
    REDIS_PASSWORD,
    Secrets,
)
from tenancy.stores.postgres.platform import roles

MASTER_DATABASE: Final = "postgres"  # each cluster has it
OWNER: Final = "tenancy_owner"
LOOKUP: Final = "tenancy_lookup"


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledRole:
    """A role that functions use through the proxy: the secrets of its password and of its URL.

    The statements of a role with *has_limit* end after 10 seconds. The role has a second user with the same rights. A
    rotation gives a new password to the user that is not in use.
    """

    name: str
    password_secret: str
    url_secret: str
    has_limit: bool

    @property
    def clone(self) -> str:
        """The second user, with the name that Secrets Manager's own rotation gives it."""
        return f"{self.name}_clone"

    @property
    def clone_password_secret(self) -> str:
        """The secret of the second user."""
        return f"{self.password_secret}-clone"


POOLED_ROLES: Final = (
    PooledRole(name="tenancy_functions", password_secret=FUNCTIONS_PASSWORD, url_secret=DATABASE, has_limit=True),
    PooledRole(
        name="tenancy_platform", password_secret=PLATFORM_PASSWORD, url_secret=PLATFORM_DATABASE, has_limit=False
    ),
    PooledRole(
        name="tenancy_authorizer", password_secret=AUTHORIZER_PASSWORD, url_secret=AUTHORIZER_DATABASE, has_limit=True
    ),
)


type LogIns = Mapping[PooledRole, ServerUser]


class UnusableSecretError(DeploymentError):
    """A secret is missing or has another form."""

    def __init__(self, secret: str, problem: str) -> None:
        """Name the secret, its problem and the next step."""
        super().__init__(
            f"The secret {secret} {problem}. It must be JSON with username and password. Restore it, then deploy again."
        )


def prepare_data_stores(secrets: Secrets, stores: DataStores) -> dict[str, str]:
    """Create database and roles on the cluster of *stores*, and write the URLs of all servers.

    Return "written" or "kept" by the name of each secret. Idempotent, also after a crash between any two statements.
    Each user gets the password of its secret. A URL keeps the user that a rotation has put into it.

    Raises:
        DeploymentError: a secret is missing, a server is unreachable, or it refuses a log-in. The text has the next
            step.
    """
    owner = _read_log_in(secrets, OWNER_PASSWORD)
    pooled = {role: _read_log_in(secrets, role.password_secret) for role in POOLED_ROLES}
    clones = {role: _read_log_in(secrets, role.clone_password_secret) for role in POOLED_ROLES}
    redis = _read_log_in(secrets, REDIS_PASSWORD)
    _make_owner(stores, _master(secrets, stores), owner)
    _make_roles(stores, owner, pooled, clones)
    in_use = {role: clones[role] if _uses_clone(secrets, role) else pooled[role] for role in POOLED_ROLES}
    urls = {role.url_secret: postgres_url(stores.proxy, log_in) for role, log_in in in_use.items()}
    urls[OWNER_DATABASE] = postgres_url(stores.cluster, owner)
    urls[REDIS] = redis_url(stores.redis, redis)
    return {name: _write(secrets, name, url) for name, url in sorted(urls.items())}


def _master(secrets: Secrets, stores: DataStores) -> ServerUser:
    try:
        return ServerUser.parse(secrets.get_foreign_secret(stores.master_secret))
    except AwsCallError as error:
        raise UnusableSecretError(stores.master_secret, "is missing, or Bootstrap may not read it") from error
    except ValueError as error:
        raise UnusableSecretError(stores.master_secret, "has another form") from error


def _read_log_in(secrets: Secrets, name: str) -> ServerUser:
    try:
        return ServerUser.parse(secrets.read_secret(name).text or "")
    except AwsCallError as error:
        raise UnusableSecretError(name, "may not be read by Bootstrap") from error
    except ValueError as error:
        raise UnusableSecretError(name, "is missing or has another form") from error


def _make_owner(stores: DataStores, master: ServerUser, owner: ServerUser) -> None:
    with closing(roles.open_session(stores.cluster, MASTER_DATABASE, master, secret=stores.master_secret)) as conn:
        roles.ensure_owner(conn, OWNER, owner.password)
        roles.ensure_database(conn, DATABASE_NAME, OWNER)


def _make_roles(stores: DataStores, owner: ServerUser, pooled: LogIns, clones: LogIns) -> None:
    with closing(roles.open_session(stores.cluster, DATABASE_NAME, owner, secret=OWNER_PASSWORD)) as conn:
        roles.ensure_group(conn, LOOKUP)
        for role in POOLED_ROLES:
            _require_user(pooled[role], role.name, role.password_secret)
            _require_user(clones[role], role.clone, role.clone_password_secret)
            roles.ensure_login(conn, role.name, pooled[role].password)
            roles.ensure_member(conn, role.clone, clones[role].password, role.name)
            if role.has_limit:
                roles.limit_statements(conn, role.name)
                roles.limit_statements(conn, role.clone)
    _require_log_ins(stores, ((role.password_secret, log_in) for role, log_in in pooled.items()))


def _require_user(log_in: ServerUser, name: str, secret: str) -> None:
    """Refuse a secret with the name of another user: *name* would get the password of that user."""
    if log_in.username != name:
        raise UnusableSecretError(secret, f"names the user {log_in.username}, and not {name}")


def _uses_clone(secrets: Secrets, role: PooledRole) -> bool:
    """Return whether a rotation has put the second user into the URL."""
    return f"//{role.clone}:" in (secrets.read_secret(role.url_secret).text or "")


def _require_log_ins(stores: DataStores, log_ins: Iterable[tuple[str, ServerUser]]) -> None:
    """Stop the deploy if a function could not log in."""
    for secret, log_in in log_ins:
        roles.open_session(stores.cluster, DATABASE_NAME, log_in, secret=secret).close()


def _write(secrets: Secrets, name: str, url: str) -> str:
    """Store *url* if the secret has another text. Return "written" or "kept"."""
    if secrets.read_secret(name).text == url:
        return "kept"
    secrets.put_secret(name, url)
    return "written"
