"""Connection URLs and key sets in Secrets Manager.

A secret is read again after five minutes, so that a rotated value is used without a deployment.
"""

import time
from typing import Final

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.durations import SECRET_CACHE_SECONDS
from tenancy.stores.aws.client import AwsClient

DATABASE: Final = "database"
AUTHORIZER_DATABASE: Final = "authorizer-database"
PLATFORM_DATABASE: Final = "platform-database"
OWNER_DATABASE: Final = "owner-database"
CLICKHOUSE: Final = "clickhouse"
CLICKHOUSE_READER: Final = "clickhouse-reader"
REDIS: Final = "redis"
JWKS: Final = "jwks"
PLATFORM_KEY: Final = "platform-key"
NO_VALUE: Final = "ResourceNotFoundException"
JSON_VERSION: Final = "1.1"


class Secrets:
    """The secrets under one prefix (`tenancy/production`).

    Each is read at its first use and cached.
    """

    def __init__(self, aws: AwsClient, prefix: str) -> None:
        """Read secrets named `<prefix>/<name>`."""
        self._aws = aws
        self._prefix = prefix
        self._cache: dict[str, tuple[float, str]] = {}

    def get_secret(self, name: str) -> str:
        """Return the secret *name*.

        The cached value stays in use while Secrets Manager is unreachable.

        Raises:
            AwsCallError: the secret does not exist, or the function lacks the permission to read it.
            UnavailableError: Secrets Manager is unreachable, and the secret is not cached.
        """
        cached = self._cache.get(name)
        if cached is None or time.monotonic() - cached[0] > SECRET_CACHE_SECONDS:
            cached = self._cache[name] = time.monotonic(), self._fetch(name, cached)
        return cached[1]

    def _fetch(self, name: str, cached: tuple[float, str] | None) -> str:
        document = {"SecretId": f"{self._prefix}/{name}"}
        try:
            answer = self._aws.call("secretsmanager.GetSecretValue", document, json_version=JSON_VERSION)
        except UnavailableError:
            if cached is None:
                raise
            return cached[1]
        return str(answer["SecretString"])

    def find_secret(self, name: str) -> str | None:
        """Return the secret *name*, or None if it has no value yet.

        Raises:
            AwsCallError: the function lacks the permission to read the secret.
            UnavailableError: as for `get_secret`.
        """
        try:
            return self.get_secret(name)
        except AwsCallError as error:
            if error.code == NO_VALUE:
                return None
            raise

    def put_secret(self, name: str, text: str) -> None:
        """Store a new value of the secret *name*, which the stack has created.

        Raises:
            AwsCallError: the secret does not exist, or the function lacks the permission to write it.
            UnavailableError: Secrets Manager is unreachable.
        """
        document = {"SecretId": f"{self._prefix}/{name}", "SecretString": text}
        self._aws.call("secretsmanager.PutSecretValue", document, json_version=JSON_VERSION)
        self._cache[name] = time.monotonic(), text
