"""Secrets Manager: connection URLs and key sets, read again every five minutes so that a rotation reaches us."""

import time
from typing import Final

from tenancy.errors import UnavailableError
from tenancy.rules.durations import SECRET_CACHE_SECONDS
from tenancy.stores.aws.client import AwsCallError, AwsClient

DATABASE: Final = "database"
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
    """The secrets under one prefix (`tenancy/production`); each is fetched at its first use and kept for a while."""

    def __init__(self, aws: AwsClient, prefix: str) -> None:
        """Look secrets up as `<prefix>/<name>`."""
        self._aws = aws
        self._prefix = prefix
        self._known: dict[str, tuple[float, str]] = {}

    def get_secret(self, name: str) -> str:
        """Return the secret called *name*.

        While Secrets Manager is away, what was read last stays in use.

        Raises:
            AwsCallError: it is not there, or this function may not read it.
            UnavailableError: Secrets Manager does not answer, and the secret has never been read.
        """
        known = self._known.get(name)
        if known is None or time.monotonic() - known[0] > SECRET_CACHE_SECONDS:
            known = self._known[name] = time.monotonic(), self._fetch(name, known)
        return known[1]

    def _fetch(self, name: str, known: tuple[float, str] | None) -> str:
        document = {"SecretId": f"{self._prefix}/{name}"}
        try:
            answer = self._aws.call("secretsmanager.GetSecretValue", document, json_version=JSON_VERSION)
        except UnavailableError:
            if known is None:
                raise
            return known[1]
        return str(answer["SecretString"])

    def find_secret(self, name: str) -> str | None:
        """Return the secret called *name*, None when it has no value yet.

        Raises:
            AwsCallError, UnavailableError: as for `get_secret`.
        """
        try:
            return self.get_secret(name)
        except AwsCallError as error:
            if error.code == NO_VALUE:
                return None
            raise

    def put_secret(self, name: str, text: str) -> None:
        """Give the secret called *name*, which the stack owns, a new value.

        Raises:
            AwsCallError, UnavailableError: as for `get_secret`.
        """
        document = {"SecretId": f"{self._prefix}/{name}", "SecretString": text}
        self._aws.call("secretsmanager.PutSecretValue", document, json_version=JSON_VERSION)
        self._known[name] = time.monotonic(), text
