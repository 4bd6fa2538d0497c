"""The URL of Redis: host, credentials, database and roots, and no option that would be ignored."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.connection import parse_url

from tenancy.stores.redis.connection import RedisAddress

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
HOSTS = st.sampled_from(["localhost", "127.0.0.1", "redis.example", "[::1]"])


@given(
    scheme=st.sampled_from(["redis", "rediss"]),
    user=st.just("") | TEXTS,
    password=TEXTS,
    host=HOSTS,
    port=st.none() | st.integers(1, 65_535),
    database=st.none() | st.integers(0, 15),
)
def test_parts_of_a_url_are_those_that_redis_py_reads(
    scheme: str, user: str, password: str, host: str, port: int | None, database: int | None
) -> None:
    credentials = f"{quote(user, safe='')}:{quote(password, safe='')}"
    place = host + ("" if port is None else f":{port}") + ("" if database is None else f"/{database}")
    url = f"{scheme}://{credentials}@{place}"
    address = RedisAddress.parse(url)

    expected = parse_url(url)  # type: ignore[no-untyped-call]
    assert address.host == expected["host"]
    assert address.port == expected.get("port", 6379)
    assert address.credentials == tuple(expected[name] for name in ("username", "password") if name in expected)
    assert address.database == expected.get("db", 0)
    assert address.is_tls == (scheme == "rediss")


def test_url_names_the_trusted_roots() -> None:
    address = RedisAddress.parse("rediss://:secret@redis.example:6379?ssl_ca_certs=/opt/roots.pem")

    assert address.roots == "/opt/roots.pem"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:6379",
        "http://redis.example",
        "redis://",
        "redis://redis.example:port",
        "redis://redis.example:70000",
        "redis://redis.example/name",
        "redis://redis.example?db=1",
        "rediss://redis.example?ssl_cert_reqs=none",
        "rediss://redis.example?ssl_ca_certs",
    ],
)
def test_url_that_would_be_misread_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|Port|invalid literal|bad query"):
        RedisAddress.parse(url)
