"""Rotate the users of PostgreSQL, in the four steps of Secrets Manager.

Each role has two users. A rotation gives a new password to the user that is not in use, and then puts this user into
the secret. The earlier user keeps its password until the next rotation, for processes that have cached the secret.
With several databases a rotation changes the users of all of them. All databases get their new user first. Then one
change of the secret puts all new users into use.
docs/decisions/0078-posture.md has the reasons.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass

from tenancy.errors import AwsCallError
from tenancy.rules.database_users import (
    DatabaseUrl,
    RotationError,
    RotationRequest,
    RotationStep,
    choose_next_urls,
    format_urls,
    parse_urls,
)
from tenancy.stores.aws.secret_versions import NO_VALUE, SecretVersions
from tenancy.stores.aws.secrets import Secrets
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes, UnknownDatabaseError
from tenancy.stores.postgres.platform.database_users import has_rights_of, put_user


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationStores:
    """The secrets, and the databases of their owner.

    *open_database* connects with a URL.
    """

    versions: SecretVersions
    secrets: Secrets
    owner_db: Homes
    open_database: Callable[[str], Database]


def run_step(stores: RotationStores, request: RotationRequest) -> None:
    """Run one step.

    Each step may run again, also after a crash within it, and after a later step.

    Raises:
        RotationError: the version is not pending, has no text yet, or its user lacks the rights of the role. Or the
            secret in use was changed meanwhile.
        UnknownDatabaseError: the owner's secret has no line for a database.
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
    """Store the URLs with the other user and a new password, unless they are stored already."""
    if stores.versions.find_pending(request.secret, request.version) is None:
        urls = choose_next_urls(_current(stores, request))
        stores.versions.put_pending(request.secret, request.version, format_urls(urls))


def _set(stores: RotationStores, request: RotationRequest) -> None:
    """Give the users of the pending URLs their password.

    The users in use keep their own.
    """
    changed, owners = _changed(stores, request), stores.owner_db.by_name()
    for name in changed:
        if name not in owners:
            raise UnknownDatabaseError(name)
    for url in {url.log_in_secret: url for url in changed.values()}.values():
        _put_log_in(stores.secrets, url)
    for name, url in changed.items():
        with owners[name].transaction() as conn:
            put_user(conn, url.user, url.password, role=url.role)


def _test(stores: RotationStores, request: RotationRequest) -> None:
    for name, url in _pending(stores, request).items():
        with closing(stores.open_database(url.text)) as database, database.transaction() as conn:
            if not has_rights_of(conn, url.role):
                raise RotationError(f"The user {url.user} of the database {name} lacks the rights of {url.role}.")


def _finish(stores: RotationStores, request: RotationRequest) -> None:
    current = stores.versions.find_current(request.secret)
    _changed(stores, request)
    stores.versions.use(request.secret, request.version, instead_of=current)


def _changed(stores: RotationStores, request: RotationRequest) -> Mapping[str, DatabaseUrl]:
    """Return the pending URLs that differ from those in use, by name.

    Raises:
        RotationError: one of them has the user that is in use, or the secret in use was changed meanwhile.
    """
    pending, current = _pending(stores, request), _current(stores, request)
    if pending.keys() != current.keys() or not all(url.has_database_of(current[name]) for name, url in pending.items()):
        raise RotationError(
            f"The secret {request.secret} was changed since its rotation began, and names other databases. Remove the"
            f" label AWSPENDING from the version {request.version}, and rotate again."
        )
    changed = {name: url for name, url in pending.items() if url.text != current[name].text}
    if any(url.user == current[name].user for name, url in changed.items()):
        raise RotationError(f"The pending version of the secret {request.secret} has the user that is in use.")
    return changed


def _current(stores: RotationStores, request: RotationRequest) -> Mapping[str, DatabaseUrl]:
    return parse_urls(request.secret, stores.versions.get_current(request.secret))


def _pending(stores: RotationStores, request: RotationRequest) -> Mapping[str, DatabaseUrl]:
    text = stores.versions.find_pending(request.secret, request.version)
    if text is None:
        raise RotationError(f"The version {request.version} of the secret {request.secret} has no text yet.")
    return parse_urls(request.secret, text)


def _put_log_in(secrets: Secrets, url: DatabaseUrl) -> None:
    """Store the name and password of the user for RDS Proxy, if the secret for them exists."""
    try:
        secrets.put_secret(url.log_in_secret, json.dumps({"username": url.user, "password": url.password}))
    except AwsCallError as error:
        if error.code != NO_VALUE:
            raise
