"""Connection URLs and key sets in Secrets Manager.

A secret is read again after five minutes, so that a rotated value is used without a deployment.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.durations import SECRET_CACHE_SECONDS, SECRET_RETRY_SECONDS
from tenancy.stores.aws.client import AwsClient

DATABASE: Final = "database"
AUTHORIZER_DATABASE: Final = "authorizer-database"
PLATFORM_DATABASE: Final = "platform-database"
OWNER_DATABASE: Final = "owner-database"
CLICKHOUSE: Final = "clickhouse"
CLICKHOUSE_READER: Final = "clickhouse-reader"
REDIS: Final = "redis"
JWKS: Final = "jwks"
TOKEN_SIGNING_KEYS: Final = "token-signing-keys"  # noqa: S105 - the name of a secret
TOKEN_PUBLIC_KEYS: Final = "token-public-keys"  # noqa: S105 - the name of a secret
PLATFORM_KEY: Final = "platform-key"
# User name and password of a role each, which the stack makes with CreateDataStores.
OWNER_PASSWORD: Final = "owner-password"  # noqa: S105 - the name of a secret
FUNCTIONS_PASSWORD: Final = "functions-password"  # noqa: S105 - the name of a secret
PLATFORM_PASSWORD: Final = "platform-password"  # noqa: S105 - the name of a secret
AUTHORIZER_PASSWORD: Final = "authorizer-password"  # noqa: S105 - the name of a secret
REDIS_PASSWORD: Final = "redis-password"  # noqa: S105 - the name of a secret
NO_VALUE: Final = "ResourceNotFoundException"
VERSION_TAKEN: Final = "ResourceExistsException"
VERSION_NAMESPACE: Final = UUID("5f0f4f8e-9f0a-4b86-8f0e-4d1d9b3b6a52")
JSON_VERSION: Final = "1.1"


class SecretChangedError(Exception):
    """Another process has changed the secret since it was read. Nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """A secret as it is stored. Without a value both members are None."""

    text: str | None = None
    version: str | None = None


class Secrets:
    """The secrets under one prefix (`tenancy/production`).

    Each is read at its first use and cached.
    """

    def __init__(self, aws: AwsClient, prefix: str) -> None:
        """Read secrets named `<prefix>/<name>`."""
        self._aws = aws
        self._prefix = prefix
        self._cache: dict[str, tuple[float, str | None]] = {}
        self._paused_until: dict[str, float] = {}

    def get_secret(self, name: str) -> str:
        """Return the secret *name*.

        The cached value stays in use while Secrets Manager is unreachable.

        Raises:
            AwsCallError: the secret does not exist, or the function lacks the permission to read it.
            UnavailableError: Secrets Manager is unreachable, and the secret is not cached.
        """
        return self._get(name, SECRET_CACHE_SECONDS)

    def get_fresh_secret(self, name: str) -> str:
        """Return the secret *name*, at most some seconds old, for a caller that misses something in the cached one.

        Raises:
            AwsCallError, UnavailableError: as for `get_secret`.
        """
        return self._get(name, SECRET_RETRY_SECONDS)

    def find_secret(self, name: str, *, max_age_seconds: float) -> str | None:
        """Return the secret *name*, or None if it has no value yet.

        The answer, also None, is cached. It stays in use for *max_age_seconds*, and while Secrets Manager is
        unreachable.

        Raises:
            AwsCallError: the function lacks the permission to read the secret.
            UnavailableError: as for `get_secret`.
        """
        return self._cached(name, max_age_seconds, lambda: self.read_secret(name).text)

    def _get(self, name: str, max_age_seconds: float) -> str:
        if self._cache.get(name, (0.0, None))[1] is None:  # `find_secret` may have found no value
            self._cache.pop(name, None)
        return str(self._cached(name, max_age_seconds, lambda: str(self._fetch(name)["SecretString"])))

    def _cached(self, name: str, max_age_seconds: float, read: Callable[[], str | None]) -> str | None:
        """Return the cached text of *name*, or that of *read* if it is too old.

        After a failed *read* the next one follows in a few seconds, not at the next age.
        """
        now, cached = time.monotonic(), self._cache.get(name)
        paused_until = self._paused_until.get(name, now)
        if cached is not None and (now - cached[0] <= max_age_seconds or now < paused_until):
            return cached[1]
        try:
            text = read()
        except UnavailableError:
            if cached is None:
                raise
            self._paused_until[name] = now + SECRET_RETRY_SECONDS
            return cached[1]
        self._cache[name] = time.monotonic(), text
        return text

    def read_secret(self, name: str) -> StoredSecret:
        """Return the secret *name* as it is stored now, past the cache.

        Raises:
            AwsCallError: the function lacks the permission to read the secret.
            UnavailableError: Secrets Manager is unreachable.
        """
        try:
            answer = self._fetch(name)
        except AwsCallError as error:
            if error.code == NO_VALUE:
                return StoredSecret()
            raise
        return StoredSecret(text=str(answer["SecretString"]), version=str(answer["VersionId"]))

    def get_foreign_secret(self, arn: str) -> str:
        """Return the secret *arn*, which is not under the prefix, as it is stored now.

        Raises:
            AwsCallError: the secret does not exist, or the function lacks the permission to read it.
            UnavailableError: Secrets Manager is unreachable.
        """
        answer = self._aws.call("secretsmanager.GetSecretValue", {"SecretId": arn}, json_version=JSON_VERSION)
        return str(answer["SecretString"])

    def put_secret(self, name: str, text: str) -> None:
        """Store a new value of the secret *name*, which the stack has created.

        Raises:
            AwsCallError: the secret does not exist, or the function lacks the permission to write it.
            UnavailableError: Secrets Manager is unreachable.
        """
        self._put(name, text, version=uuid4())

    def replace_secret(self, name: str, text: str, *, read: StoredSecret) -> None:
        """Store *text* in place of the secret *name* that was *read*.

        The id of the new version follows from that of the version that it replaces, and Secrets Manager gives no id
        twice. So of two processes that read the same version only one replaces it.

        Raises:
            SecretChangedError: another process has replaced the version.
            AwsCallError: as for `put_secret`.
            UnavailableError: Secrets Manager is unreachable. The text may be stored.
        """
        try:
            self._put(name, text, version=uuid5(VERSION_NAMESPACE, f"{name} {read.version}"))
        except AwsCallError as error:
            if error.code == VERSION_TAKEN:
                raise SecretChangedError(f"Another process has changed the secret {name} since it was read.") from error
            raise

    def _fetch(self, name: str) -> dict[str, Any]:
        document = {"SecretId": f"{self._prefix}/{name}"}
        return self._aws.call("secretsmanager.GetSecretValue", document, json_version=JSON_VERSION)

    def _put(self, name: str, text: str, *, version: UUID) -> None:
        """Store *text*. The id of the version makes a second try of the same call harmless."""
        document = {"SecretId": f"{self._prefix}/{name}", "SecretString": text, "ClientRequestToken": str(version)}
        self._aws.call("secretsmanager.PutSecretValue", document, json_version=JSON_VERSION)
        self._cache[name] = time.monotonic(), text
