"""One release in use: its functions, its databases, one organization, and requests to them."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from psycopg import sql
from redis import Redis

from scripts.bench.customers import authorizer_url
from scripts.bench.databases import Databases, Servers, own_databases, own_valkey, url_at
from scripts.bench.releases.aws import ReleaseAws, release_aws
from scripts.bench.releases.process import FunctionProcess, function_process
from scripts.bench.releases.release import UnpackedRelease
from scripts.bench.releases.work import ServerCounts, backend_seconds
from scripts.tcp_proxy import TcpProxy, tcp_proxy
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.stores.postgres.client import Database

type Document = dict[str, Any]

SUCCESS: Final = range(200, 300)
AUTHORIZATION: Final = "Authorization"
FIND_COLUMNS: Final = "SELECT column_name FROM information_schema.columns WHERE table_name = 'platform_keys'"
INSERT_PLATFORM_KEY: Final = "INSERT INTO platform_keys ({}) VALUES ({})"


@dataclass(slots=True, kw_only=True)
class ReleaseInUse:
    """A release in use.

    *contexts* are the callers' by kind (`pk`, `sk`, `wk`), as the release's authorizer returns them, and *keys* their
    credentials.
    """

    release: UnpackedRelease
    databases: Databases
    redis: Redis
    aws: ReleaseAws
    proxies: Mapping[str, TcpProxy]
    functions: Mapping[str, FunctionProcess]
    keys: dict[str, str] = field(default_factory=dict)
    contexts: dict[str, Document] = field(default_factory=dict)
    provisioned: int = 0

    def enter(self) -> None:
        """Provision the organization, and authenticate its keys."""
        self._authenticate("pk", _insert_platform_key(self.databases.owner))
        organization, _ = self.provision()
        self._authenticate("sk", organization["secret_key"])
        self._authenticate("wk", organization["write_key"])

    def forget(self) -> None:
        """Empty Redis, so that no rate limit is reached.

        The next request of each organization reads PostgreSQL.
        """
        self.redis.flushdb()

    def call(
        self, name: str, caller: str, *, body: str | None = None, path: Mapping[str, str] | None = None
    ) -> tuple[Any, float]:
        """Return the answer to the sample request *name* by *caller*, and its processor seconds.

        It has *body* and the parameters *path* in place of those of the sample. Its function accepts it.
        """
        request = json.loads(self.release.sample(name).read_bytes())
        context = request["requestContext"]["authorizer"]
        scopes = {"scopes": context["scopes"]} if "scopes" in context else {}
        request["requestContext"]["authorizer"] = self.contexts[caller] | scopes
        request |= {"queryStringParameters": None, "multiValueQueryStringParameters": None}
        if body is not None:
            request |= {"body": body, "isBase64Encoded": False}
        if path is not None:
            request |= {"pathParameters": dict(path), "path": request["resource"].format(**path)}
        return self._call(name.partition("/")[0], request)

    def provision(self) -> tuple[Document, float]:
        """Provision an organization, and return the answer and the seconds of processor time."""
        self.provisioned += 1
        new = {
            "name": f"Bench {self.provisioned}",
            "subdomain": f"bench-{self.provisioned}-x",
            "admin_email": f"admin@bench-{self.provisioned}.example",
            "admin_password": "correct horse battery staple",
            "tier": "enterprise",
        }
        answer, seconds = self.call("provision/create", "pk", body=json.dumps(new))
        return json.loads(answer["body"]), seconds

    def authenticate(self, function: FunctionProcess, caller: str) -> tuple[Document, float]:
        """Return the answer of *function*, an authorizer, for the key of *caller*, and the seconds."""
        request = json.loads(self.release.sample("authorizer/secret_key").read_bytes())
        credential = f"Bearer {self.keys[caller]}"
        request["headers"][AUTHORIZATION] = credential
        request["multiValueHeaders"][AUTHORIZATION] = [credential]
        return function.call(request)

    def count_work(self) -> ServerCounts:
        """Return the work of the servers since the start."""
        trips = {name: proxy.round_trips for name, proxy in self.proxies.items()} | {"AWS": self.aws.calls}
        return ServerCounts(trips, backend_seconds(self.databases.owner))

    def _authenticate(self, caller: str, key: str) -> None:
        self.keys[caller] = key
        policy, _ = self.authenticate(self.functions["authorizer"], caller)
        self.contexts[caller] = policy["context"] | {"principalId": policy["principalId"]}

    def _call(self, function: str, request: Document) -> tuple[Any, float]:
        answer, seconds = self.functions[function].call(request)
        if answer["statusCode"] not in SUCCESS:
            sys.exit(f"{function} of {self.release.name} refused a request: {answer['body']}")
        return answer, seconds


@contextmanager
def side_of(release: UnpackedRelease, functions: Sequence[str], valkey_database: int) -> Iterator[ReleaseInUse]:
    """Yield *release* in use, with *functions* and those that provision an organization.

    Its databases are dropped afterwards.
    """
    servers = Servers.load()
    with ExitStack() as stack:
        databases = stack.enter_context(own_databases(servers, migrations=release.migrations))
        redis_url = stack.enter_context(own_valkey(servers.redis_url, database=valkey_database))
        urls = {
            "PostgreSQL": servers.app_database_url,
            "Redis": redis_url,
            "ClickHouse": databases.clickhouse_url,
        }
        proxies = {name: stack.enter_context(tcp_proxy(int(urlsplit(url).port or 0))) for name, url in urls.items()}
        aws = stack.enter_context(release_aws(_secrets(servers, databases, redis_url, proxies)))
        processes = {
            name: stack.enter_context(function_process(release, name, aws.url))
            for name in dict.fromkeys(("authorizer", "provision", *functions))
        }
        side = ReleaseInUse(
            release=release,
            databases=databases,
            redis=stack.enter_context(Redis.from_url(redis_url)),
            aws=aws,
            proxies=proxies,
            functions=processes,
        )
        side.enter()
        yield side


def _insert_platform_key(owner: Database) -> str:
    """Store a new platform key as the schema of the release requires, and return the key."""
    key = generate_key(KeyType.PLATFORM)
    row = {"name": "Bench", "digest": key.digest, "prefix": key.prefix, "hint": key.hint}
    with owner.transaction() as conn:
        columns = {name for (name,) in conn.execute(FIND_COLUMNS)} & set(row)
        names, values = map(sql.Identifier, sorted(columns)), [row[name] for name in sorted(columns)]
        places = sql.SQL(", ").join(sql.Placeholder() * len(values))
        conn.execute(sql.SQL(INSERT_PLATFORM_KEY).format(sql.SQL(", ").join(names), places), values)
    return key.text


def _secrets(
    servers: Servers, databases: Databases, redis_url: str, proxies: Mapping[str, TcpProxy]
) -> Mapping[str, str]:
    """Return the secrets of the functions, whose URLs lead to the *proxies*."""
    urls = {
        "database": ("PostgreSQL", url_at(servers.app_database_url, databases.name)),
        "authorizer-database": ("PostgreSQL", authorizer_url(servers, databases.name)),
        "platform-database": ("PostgreSQL", url_at(servers.platform_database_url, databases.name)),
        "redis": ("Redis", redis_url),
        "clickhouse": ("ClickHouse", databases.clickhouse_url),
        "clickhouse-reader": ("ClickHouse", databases.clickhouse_url),
    }
    return {name: _at_port(url, proxies[server].port) for name, (server, url) in urls.items()}


def _at_port(url: str, port: int) -> str:
    return url.replace(f":{urlsplit(url).port}/", f":{port}/")
