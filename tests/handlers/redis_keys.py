"""Redis keys that outlive a slow test."""

from redis import Redis as Client

from tests.given import Servers


def persist_keys(servers: Servers) -> None:
    """Remove the expiry of every key. A standing expires after a minute, and a test may take longer."""
    with Client.from_url(servers.valkey_url) as client:
        persist_keys_of(client)


def persist_keys_of(client: Client) -> None:
    """Do the same through an open connection."""
    pipeline = client.pipeline(transaction=False)
    for key in client.scan_iter(count=1_000):
        pipeline.persist(key)
    pipeline.execute()
