"""The embedded engine as a cluster of two shards.

The engine listens on no port, so both shards are the engine itself, and they have the same tables. A row policy gives
each shard its own rows: the function `shardNum()` is the number of the shard that a distributed query reads, and 0
outside of such a query. An insert of two shards reaches the same table twice. So a deduplication token would drop the
rows of the second shard, and the tables of two shards have no deduplication.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from scripts.stack import processes
from scripts.stack.loopback import answers
from scripts.stack.processes import Launch
from tenancy.stores.clickhouse.client import SHARDS_SUFFIX, connect
from tenancy.stores.clickhouse.platform.migrations import ACCESS_MANAGEMENT, list_versions, run_script
from tenancy.stores.clickhouse.platform.shards import CREATE_DISTRIBUTED, distribute_tables
from tenancy.use_cases.schema.migrate import read_migrations

ROOT: Final = Path(__file__).resolve().parents[2]
MIGRATIONS: Final = ROOT / "layers" / "migrations" / "clickhouse"
TWO_SHARDS: Final = "two"  # databases
ONE_SHARD: Final = "one"
WITH_POLICY: Final = "with_policy"  # a Distributed table of two shards with a row policy, which no query may read
NAME: Final = "sharded-engine"
READY_SECONDS: Final = 600.0
SHARD: Final = """
    <shard><internal_replication>true</internal_replication>
      <replica><host>127.0.0.1</host><port>9000</port></replica></shard>
"""
CONFIGURATION: Final = """
    <clickhouse>
      <tcp_port>9000</tcp_port>
      <users_config>{users}</users_config>
      <remote_servers>{clusters}</remote_servers>
    </clickhouse>
"""
USERS: Final = """
    <clickhouse>
      <profiles><default/></profiles><quotas><default/></quotas>
      <users><default>
        <password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
        <databases>
          <{two}_shards>{policies}</{two}_shards>
          <{two}><{with_policy}><filter>event_id != ''</filter></{with_policy}></{two}>
        </databases>
      </default></users>
    </clickhouse>
"""
POLICY: Final = "<{table}><filter>shardNum() = 0 OR {key} % 2 = shardNum() - 1</filter></{table}>"
WITHOUT_DEDUPLICATION: Final = (
    "ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 0",
    "ALTER TABLE held_events MODIFY SETTING non_replicated_deduplication_window = 0",
    "ALTER TABLE daily_statistics MODIFY SETTING non_replicated_deduplication_window = 0",
)


@contextmanager
def running_engine(directory: Path) -> Iterator[str]:
    """Start an engine with its data in *directory*, and yield its URL.

    Its databases `TWO_SHARDS` and `ONE_SHARD` are migrated as clusters with so many shards.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    try:
        processes.start(directory, _launch(directory, port))
        for name in (TWO_SHARDS, ONE_SHARD):
            _migrate(url, name)
        yield url
    finally:
        processes.stop(directory, NAME)


def _launch(directory: Path, port: int) -> Launch:
    users = USERS.format(two=TWO_SHARDS, policies=_policies(), with_policy=WITH_POLICY)
    (directory / "users.xml").write_text(users)
    clusters = "".join(_cluster(name, shards) for name, shards in ((TWO_SHARDS, 2), (ONE_SHARD, 1)))
    configuration = CONFIGURATION.format(users=directory / "users.xml", clusters=clusters)
    (directory / "config.xml").write_text(configuration)
    path = f"{directory}/data?config-file={directory}/config.xml"  # the engine reads its options from the path
    return Launch(
        name=NAME,
        command=[sys.executable, "-m", "scripts.stack.clickhouse_front", "--path", path, "--port", str(port)],
        environment={"PATH": str(Path(sys.executable).parent), "HOME": str(directory)},
        working_directory=ROOT,
        is_ready=lambda: answers(f"http://127.0.0.1:{port}/ping", seconds=2),
        ready_seconds=READY_SECONDS,
    )


def _policies() -> str:
    keys = dict.fromkeys(CREATE_DISTRIBUTED, "cityHash64(organization_id)") | {"schema_migrations": "version"}
    return "".join(POLICY.format(table=table, key=key) for table, key in keys.items())


def _cluster(name: str, shards: int) -> str:
    cluster = name + SHARDS_SUFFIX
    return f"<{cluster}>{SHARD * shards}</{cluster}>"


def _migrate(url: str, name: str) -> None:
    with closing(connect(f"{url}/default")) as admin:
        for database in (name + SHARDS_SUFFIX, name):
            admin.command("CREATE DATABASE {name:Identifier}", parameters={"name": database})
    with closing(connect(f"{url}/{name}")) as client:
        list_versions(client)
        for migration in read_migrations(MIGRATIONS):
            if not ACCESS_MANAGEMENT.match(migration.script):
                run_script(client, migration.script)
        distribute_tables(client)
        if name == TWO_SHARDS:
            for statement in WITHOUT_DEDUPLICATION:
                run_script(client, statement)
            client.command(f"CREATE TABLE {WITH_POLICY} AS events")
