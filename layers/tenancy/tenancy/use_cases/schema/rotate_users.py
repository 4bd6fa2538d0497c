"""Rotate the users of PostgreSQL, in the four steps of Secrets Manager.

Each role has two users. A rotation gives a new password to the user that is not in use, and then puts this user into
the secret. The earlier user keeps its password until the next rotation, for processes that have cached the secret.
docs/decisions/0078-posture.md has the reasons.
"""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from tenancy.errors import AwsCallError
from tenancy.rules.database_users import ROLE_OF, DatabaseUrl, RotationError, RotationRequest, RotationStep
from tenancy.rules.homes import CATALOGUE, parse_databases
from tenancy.stores.aws.secret_versions import NO_VALUE, SecretVersions
from tenancy.stores.aws.secrets import Secrets
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.database_users import has_rights_of, put_user


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationStores:
    """The secrets, and the database of their owner. *open_database* connects with a URL."""

    versions: SecretVersions
    secrets: Secrets
    owner_db: Homes
    open_database: Callable[[str], Database]


def run_step(stores: RotationStores, request: RotationRequest) -> None:
    """Run one step. Each one may run again, also after a crash within it, and after a later step.

    Raises:
        RotationError: the version is not pending, has no text yet, or its user lacks the rights of the role.
        AwsCallError: a secret does not exist, or the function lacks a permission.
        UnavailableError: Secrets Manager or PostgreSQL is unreachable, or PostgreSQL refuses the new user.
    """
    if stores.versions.find_current(request.secret) == request.version:
        return  # an earlier call has finished the rotation
    if not stores.versions.is_pending(request.secret, request.version):
        raise RotationError(f"The version {request.version} of the secret {request.secret} is not pending.")
    match request.step:
        case RotationStep.CREATE:
            _create(stores, request)
        case RotationStep.SET:
            _set(stores, request)
        case RotationStep.TEST:
            _test(stores, request)
        case RotationStep.FINISH:
            _finish(stores, request)


def _create(stores: RotationStores, request: RotationRequest) -> None:
    """Store the URL with the other user and a new password, unless an earlier call has stored one."""
    if stores.versions.find_pending(request.secret, request.version) is None:
        url = _current(stores, request).with_other_user()
        stores.versions.put_pending(request.secret, request.version, url.text)


def _set(stores: RotationStores, request: RotationRequest) -> None:
    """Give the user of the pending URL its password. The user in use keeps its own."""
    pending = _pending(stores, request)
    if pending.user == _current(stores, request).user:
        raise RotationError(f"The pending version of the secret {request.secret} has the user that is in use.")
    _put_log_in(stores.secrets, pending)
    with stores.owner_db.catalogue.transaction() as conn:
        put_user(conn, pending.user, pending.password, role=pending.role)


def _test(stores: RotationStores, request: RotationRequest) -> None:
    pending = _pending(stores, request)
    with closing(stores.open_database(pending.text)) as database, database.transaction() as conn:
        if not has_rights_of(conn, pending.role):
            raise RotationError(f"The user {pending.user} lacks the rights of {pending.role}.")


def _finish(stores: RotationStores, request: RotationRequest) -> None:
    current = stores.versions.find_current(request.secret)
    stores.versions.use(request.secret, request.version, instead_of=current)


def _current(stores: RotationStores, request: RotationRequest) -> DatabaseUrl:
    urls = parse_databases(stores.versions.get_current(request.secret))
    if len(urls) > 1:
        raise RotationError(f"The secret {request.secret} names several databases. Their users are not rotated.")
    return DatabaseUrl(role=ROLE_OF[request.secret], text=urls[CATALOGUE])


def _pending(stores: RotationStores, request: RotationRequest) -> DatabaseUrl:
    text = stores.versions.find_pending(request.secret, request.version)
    if text is None:
        raise RotationError(f"The version {request.version} of the secret {request.secret} has no text yet.")
    return DatabaseUrl(role=ROLE_OF[request.secret], text=text)


def _put_log_in(secrets: Secrets, url: DatabaseUrl) -> None:
    """Store the name and password of the user for RDS Proxy, if the secret for them exists."""
    try:
        secrets.put_secret(url.log_in_secret, json.dumps({"username": url.user, "password": url.password}))
    except AwsCallError as error:
        if error.code != NO_VALUE:
            raise
