"""The addresses of all services, for this machine or for the containers of ``sam local``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from scripts.stack import aws, clickhouse, postgres, valkey
from scripts.stack.credentials import Credentials

CONTAINER_HOST = "host.docker.internal"  # this machine, as a container calls it


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The URLs of the stores, of AWS and of the API."""

    owner: str
    functions: str
    platform: str
    authorizer: str
    valkey: str
    clickhouse: str
    aws: str
    api: str

    @classmethod
    def at(cls, host: str, ports: Mapping[str, int], credentials: Credentials) -> Self:
        """Return the addresses for a client that calls the stack's machine *host*."""
        port = ports[postgres.NAME]
        return cls(
            owner=postgres.url_for(postgres.OWNER, credentials.owner, host, port=port),
            functions=postgres.url_for(postgres.FUNCTIONS, credentials.functions, host, port=port),
            platform=postgres.url_for(postgres.PLATFORM, credentials.platform, host, port=port),
            authorizer=postgres.url_for(postgres.AUTHORIZER, credentials.authorizer, host, port=port),
            valkey=valkey.url_for(host, port=ports[valkey.NAME], password=credentials.valkey),
            clickhouse=clickhouse.url_for(host, port=ports[clickhouse.NAME]),
            aws=aws.endpoint(host, ports),
            api=f"http://{host}:{ports['api']}/v1",
        )

    def secrets(self, prefix: str, credentials: Credentials) -> dict[str, str]:
        """Return the secrets in which functions find the stores and the signing keys."""
        return {
            f"{prefix}/owner-database": self.owner,
            f"{prefix}/database": self.functions,
            f"{prefix}/platform-database": self.platform,
            f"{prefix}/authorizer-database": self.authorizer,
            f"{prefix}/redis": self.valkey,
            f"{prefix}/clickhouse": self.clickhouse,
            f"{prefix}/clickhouse-reader": self.clickhouse,  # the engine has no users
            f"{prefix}/jwks": credentials.public_key_set(),
            f"{prefix}/signing-keys": credentials.private_key_set(),
        }

    def described(self, platform_key: str) -> dict[str, str]:
        """Return the content of ``stack.json``, which the demo and the tests read."""
        return {
            "api_url": self.api,
            "platform_key": platform_key,
            "database_url": self.owner,
            "app_database_url": self.functions,
            "platform_database_url": self.platform,
            "redis_url": self.valkey,
            "clickhouse_url": self.clickhouse,
            "aws_endpoint_url": self.aws,
            "region": aws.REGION,
            "stack_name": aws.STACK,
            "console_url": f"{self.api}/console/",
            "mailbox_url": f"{self.aws}/_ministack/ses/messages",
        }
