"""Organizations with keys in a figure's own databases, and their requests as API Gateway passes them to a function."""

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from pydantic import SecretStr

from scripts.bench import ROOT
from scripts.bench.databases import Databases, Servers, own_databases, own_valkey, url_at
from scripts.bench.functions import sample
from scripts.bench.local_aws import local_aws
from scripts.stack import postgres
from scripts.stack.credentials import Credentials
from scripts.stack.settings import StackSettings
from tenancy.gateway.context import to_context
from tenancy.rules.audit_record import Actor
from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.permissions import EVENTS_WRITE, SECRET_KEY_PERMISSIONS
from tenancy.rules.tenant import CallerKind, RateBucket, Tenant
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.platform.organizations import update_organization
from tenancy.use_cases.organizations.provision import hash_password, insert_provisioned, prepare_organization

OPERATOR: Final = Actor(kind=CallerKind.OPERATOR, id=uuid4(), request_id="bench", source_address="203.0.113.10")
VALKEY_DATABASE: Final = 2  # another one than that of the other figures
PASSWORD: Final = SecretStr("correct horse battery staple")


@dataclass(frozen=True, kw_only=True)
class Customer:
    """An organization with a write key and a secret key. *key* is the text of the write key."""

    write: Tenant
    secret: Tenant
    key: str

    @property
    def organization_id(self) -> UUID:
        """Return the id of the organization."""
        return self.write.organization_id

    def ingest(self, body: bytes) -> dict[str, Any]:
        """Return a request to POST /v1/events with *body*."""
        moment = {"requestTimeEpoch": int(datetime.now(UTC).timestamp() * 1_000)}
        request = self._request("ingest/events", self._write_context, **moment)
        return request | {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}

    def read(self, name: str) -> dict[str, Any]:
        """Return the sample request *name* of the usage function for this month, with the secret key."""
        request = self._request(name, self._secret_context)
        return request | {"queryStringParameters": None, "multiValueQueryStringParameters": None}

    @cached_property
    def _write_context(self) -> Mapping[str, str]:
        return to_context(self.write) | {"principalId": str(self.write.credential_id)}

    @cached_property
    def _secret_context(self) -> Mapping[str, str]:
        return to_context(self.secret) | {"principalId": str(self.secret.credential_id)}

    @staticmethod
    def _request(name: str, context: Mapping[str, str], **moment: int) -> dict[str, Any]:
        envelope = sample(name)
        request_context = envelope["requestContext"] | moment | {"authorizer": dict(context)}
        return envelope | {"requestContext": request_context}


def provision_customers(databases: Databases, count: int, *, overrides: Mapping[str, int]) -> list[Customer]:
    """Provision *count* organizations of the largest tier with *overrides*, and return their keys."""
    now = datetime.now(UTC)
    password_hash = hash_password(_new(0))
    return [_provision(databases, number, password_hash, overrides, now=now) for number in range(count)]


def _new(number: int) -> NewOrganization:
    return NewOrganization(
        name=f"Bench {number}",
        subdomain=f"bench-{number}-x",
        admin_email=f"admin@bench-{number}.example",
        admin_password=PASSWORD,
        tier=Tier.ENTERPRISE,
    )


def _provision(
    databases: Databases, number: int, password_hash: str, overrides: Mapping[str, int], *, now: datetime
) -> Customer:
    provisioned = prepare_organization(uuid4(), _new(number), now=now)
    organization = provisioned.organization
    with databases.platform.tenant_transaction(organization.id) as conn:
        insert_provisioned(conn, provisioned, password_hash, OPERATOR, now=now)
        wanted = replace(organization, overrides=dict(overrides))
        update_organization(conn, wanted, gateway_key=organization.subdomain, now=now)
    write = Tenant(
        organization_id=organization.id,
        subdomain=organization.subdomain,
        scopes=frozenset({EVENTS_WRITE}),
        credential_id=provisioned.write_key_id,
        kind=CallerKind.KEY,
        bucket=RateBucket.INGEST,
        app_id=provisioned.app_id,
    )
    secret = replace(
        write,
        scopes=frozenset(SECRET_KEY_PERMISSIONS),
        credential_id=provisioned.secret_key_id,
        bucket=RateBucket.MANAGEMENT,
        app_id=None,
    )
    return Customer(write=write, secret=secret, key=provisioned.write_key.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnStores:
    """A figure's own stores: *databases*, Valkey at *redis_url*, and a local AWS at *aws_url* with their secrets."""

    databases: Databases
    redis_url: str
    aws_url: str


@contextmanager
def own_stores(*, send_seconds: float = 0.0) -> Iterator[OwnStores]:
    """Yield stores on the servers of the running stack, which are dropped afterwards.

    The queue of events answers after *send_seconds*.
    """
    servers = Servers.load()
    with own_databases(servers) as databases, own_valkey(servers.redis_url, database=VALKEY_DATABASE) as redis_url:
        secrets = {
            "database": url_at(servers.app_database_url, databases.name),
            "authorizer-database": authorizer_url(servers, databases.name),
            "redis": redis_url,
            "clickhouse": databases.clickhouse_url,
            "clickhouse-reader": databases.clickhouse_url,
        }
        with local_aws(secrets, send_seconds=send_seconds) as aws_url:
            yield OwnStores(databases=databases, redis_url=redis_url, aws_url=aws_url)


def authorizer_url(servers: Servers, database: str) -> str:
    """Return the URL of *database* for the authorizer's role, whose password only the stack's own file has."""
    url = urlsplit(servers.app_database_url)
    credentials = Credentials.load(StackSettings.from_env(os.environ, ROOT).directory)
    return postgres.url_for(
        postgres.AUTHORIZER, credentials.authorizer, str(url.hostname), port=int(url.port or 0), database=database
    )
