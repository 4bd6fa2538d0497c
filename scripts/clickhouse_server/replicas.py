"""Two replicas of ClickHouse in containers, in a network of their own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HttpWaitStrategy

IMAGE: Final = "clickhouse/clickhouse-server:26.3"
FOLDER: Final = Path(__file__).parent
CONFIGURATION: Final = "/etc/clickhouse-server/config.d"
HTTP_PORT: Final = 8123
USER: Final = "tenancy"
REPLICAS: Final = ("clickhouse-1", "clickhouse-2")


@contextmanager
def running_replicas(password: str) -> Iterator[list[str]]:
    """Start both replicas, and yield their URLs. Their user may manage access.

    Raises:
        DockerException: the engine is unreachable, or has no image and cannot get one.
        TimeoutError: a replica does not answer.
    """
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        containers = [stack.enter_context(_replica(name, password, network)) for name in REPLICAS]
        yield [f"http://{USER}:{password}@127.0.0.1:{each.get_exposed_port(HTTP_PORT)}" for each in containers]


def _replica(name: str, password: str, network: Network) -> DockerContainer:
    """Return the container of the replica *name*. It starts when it is entered."""
    container = DockerContainer(
        IMAGE,
        ports=[HTTP_PORT],
        network=network,
        network_aliases=[name],
        hostname=name,  # by which the servers of a Replicated database query each other
        env={
            "REPLICA": name,
            "CLUSTER_SECRET": password,
            "CLICKHOUSE_USER": USER,
            "CLICKHOUSE_PASSWORD": password,
            "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "1",
        },
    )
    files = ["replicas.xml", "keeper.xml"] if name == REPLICAS[0] else ["replicas.xml"]
    for file in files:
        container.with_copy_into_container(FOLDER / file, f"{CONFIGURATION}/{file}", 0o644)
    return container.waiting_for(HttpWaitStrategy(HTTP_PORT, "/ping"))
