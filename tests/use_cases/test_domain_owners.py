"""The owners of custom domains: looked up once a minute, only for hosts that are none of the platform's."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tenancy.errors import UnavailableError
from tenancy.rules.durations import DOMAIN_LOOK_UP_PAUSE, DOMAIN_OWNER_CACHE_TIME, DOMAIN_OWNER_STALE_TIME
from tenancy.rules.host_names import PlatformHosts
from tenancy.rules.resolution import Mention, MentionSource
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.admission.domain_owners import KEPT_DOMAINS, DomainOwners
from tenancy.use_cases.organizations.provision import Provisioned
from tests.custom_domains import activate_domain, withdraw_domain
from tests.given import Databases

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
HOSTS = PlatformHosts(base_domain="attribution.example", api_host="sdk.elsewhere.example")
DOMAIN = "track.acme.example"


def hosts(*names: str, source: MentionSource = MentionSource.HOST) -> list[Mention]:
    return [Mention(source=source, text=name) for name in names]


def no_database() -> Database:
    raise AssertionError("a look-up that is not needed")


class Counted:
    """Opens a database, and counts how often."""

    def __init__(self, open_database: Callable[[], Database]) -> None:
        self._open = open_database
        self.count = 0

    def __call__(self) -> Database:
        self.count += 1
        return self._open()


def unreachable() -> Database:
    raise UnavailableError("The database is unreachable.")


@pytest.mark.parametrize(
    "host",
    [
        "sdk.elsewhere.example:443",
        "api.attribution.example",
        "globex.attribution.example",
        "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
        "a1b2c3d4e5.execute-api.eu-central-1.api.aws",
        "a1b2c3d4e5-vpce-0a1b2c3d4e5f.execute-api.eu-central-1.amazonaws.com",
        "vpce-0a1b2c3d-x1y2.execute-api.eu-central-1.vpce.amazonaws.com",
        "d-a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
        "a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn",
        "a1b2c3d4e5.execute-api.cn-north-1.api.amazonwebservices.com.cn",
        "localhost:3000",
        "127.0.0.1",
        "",
        "x" * 10_000,
    ],
)
def test_usual_host_is_not_looked_up(host: str) -> None:
    owners = DomainOwners(no_database, HOSTS)

    assert owners.find(hosts(host), now=NOW) == {}
    assert owners.find(hosts(host, source=MentionSource.FORWARDED_HOST), now=NOW) == {}


@pytest.mark.parametrize("source", [MentionSource.HOST, MentionSource.FORWARDED_HOST])
@pytest.mark.parametrize("role", ["functions", "platform"])
def test_active_domain_has_its_owner(
    databases: Databases, acme: Provisioned, globex: Provisioned, source: MentionSource, role: str
) -> None:
    activate_domain(databases, acme.organization.id, DOMAIN)
    activate_domain(databases, globex.organization.id, "track.globex.example")
    owners = DomainOwners(lambda: getattr(databases, role), HOSTS)

    found = owners.find(hosts("TRACK.acme.example.:443", "unknown.example", source=source), now=NOW)

    assert found == {DOMAIN: acme.organization.id}


def test_answers_are_kept_for_a_minute(databases: Databases, acme: Provisioned) -> None:
    activate_domain(databases, acme.organization.id, DOMAIN)
    opened = Counted(lambda: databases.functions)
    owners = DomainOwners(opened, HOSTS)
    named = hosts(DOMAIN, "unknown.example")
    owners.find(named, now=NOW)
    withdraw_domain(databases, DOMAIN)

    kept = owners.find(named, now=NOW + DOMAIN_OWNER_CACHE_TIME * 0.99)
    count = opened.count
    later = owners.find(named, now=NOW + DOMAIN_OWNER_CACHE_TIME)

    assert (kept, count) == ({DOMAIN: acme.organization.id}, 1)
    assert (later, opened.count) == ({}, 2)


def test_invented_names_displace_no_domain(databases: Databases, acme: Provisioned) -> None:
    activate_domain(databases, acme.organization.id, DOMAIN)
    opened = Counted(lambda: databases.functions)
    owners = DomainOwners(opened, HOSTS)
    owners.find(hosts(DOMAIN), now=NOW)
    invented = [f"{number}.invented.example" for number in range(2 * KEPT_DOMAINS + 1)]

    for start in range(0, len(invented), 100):
        owners.find(hosts(*invented[start : start + 100]), now=NOW)
    count = opened.count
    found = owners.find(hosts(DOMAIN), now=NOW)

    assert found == {DOMAIN: acme.organization.id}
    assert opened.count == count
    assert len(owners._without_owner) <= KEPT_DOMAINS


def test_expired_answer_stays_while_the_database_is_unreachable(databases: Databases, acme: Provisioned) -> None:
    activate_domain(databases, acme.organization.id, DOMAIN)
    opened = Counted(lambda: databases.functions)
    owners = DomainOwners(opened, HOSTS)
    owners.find(hosts(DOMAIN), now=NOW)
    later = NOW + DOMAIN_OWNER_CACHE_TIME
    opened._open = unreachable

    found = [owners.find(hosts(DOMAIN, "unknown.example"), now=later) for _ in range(3)]
    paused = opened.count
    owners.find(hosts(DOMAIN), now=later + DOMAIN_LOOK_UP_PAUSE)

    assert found == [{DOMAIN: acme.organization.id}] * 3
    assert (paused, opened.count) == (2, 3)


def test_expired_answer_is_dropped_after_10_minutes(databases: Databases, acme: Provisioned) -> None:
    """The domain may belong to another organization by then, whose events must not be refused."""
    activate_domain(databases, acme.organization.id, DOMAIN)
    opened = Counted(lambda: databases.functions)
    owners = DomainOwners(opened, HOSTS)
    owners.find(hosts(DOMAIN), now=NOW)
    end = NOW + DOMAIN_OWNER_CACHE_TIME + DOMAIN_OWNER_STALE_TIME
    opened._open = unreachable

    before = owners.find(hosts(DOMAIN), now=end - timedelta(seconds=1))
    after = owners.find(hosts(DOMAIN), now=end)

    assert (before, after) == ({DOMAIN: acme.organization.id}, {})
