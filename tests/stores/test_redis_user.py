"""The user of Valkey in stacks/cache.yaml may run the scripts of the functions, and no other command."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import redis

from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.standing import LIVE, Standing
from tenancy.rules.tenant import RateBucket
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import admit_tenant, put_standing, seed_usage
from tests.given import PATIENCE_SECONDS, ROOT, Servers, sold
from tests.template.stacks import stack_resources

SCRIPTS = (ROOT / "layers/tenancy/tenancy/stores/redis").rglob("*.lua")
ACCESS = stack_resources("cache")["User"]["Properties"]["AccessString"].split()
OWN_COMMANDS = {"ping", "eval", "evalsha"}
NAME, PASSWORD = "tenancy", "password-of-tenancy"


@pytest.fixture
def admin(servers: Servers, counters: Redis) -> Iterator["redis.Redis"]:  # noqa: ARG001 - empties the server
    with redis.Redis.from_url(servers.valkey_url) as client:
        client.execute_command("ACL", "SETUSER", NAME, "reset", f">{PASSWORD}", *ACCESS)
        yield client
        client.execute_command("ACL", "DELUSER", NAME)


@pytest.fixture
def user_url(servers: Servers, admin: "redis.Redis") -> str:  # noqa: ARG001 - makes the user
    return f"redis://{NAME}:{PASSWORD}@127.0.0.1:{servers.valkey_port}"


def test_user_may_run_the_commands_of_the_scripts_only() -> None:
    used = {name.lower() for script in SCRIPTS for name in re.findall(r"redis\.p?call\('(\w+)'", script.read_text())}

    allowed = {rule[1:] for rule in ACCESS if rule.startswith("+")}

    assert allowed == used | OWN_COMMANDS
    assert ACCESS[:3] == ["on", "~*", "-@all"]


def test_user_runs_an_admission(user_url: str) -> None:
    organization_id, credential_id, now = uuid4(), uuid4(), datetime.now(UTC)
    standing = Standing(entitlements=sold(Tier.STARTER), status=OrganizationStatus.ACTIVE, epoch=0, version=1)

    with closing(Redis(lambda: user_url, timeout_seconds=PATIENCE_SECONDS)) as counters:
        put_standing(counters, organization_id, standing, credential=(credential_id, LIVE))
        seed_usage(counters, organization_id, MonthSoFar(events=0, held=0, storage_bytes=0), now=now)
        admission = admit_tenant(
            counters,
            organization_id,
            RateBucket.MANAGEMENT,
            credential=(credential_id, ""),
            events=1,
            all_or_nothing=True,
            now=now,
        )

    assert getattr(admission, "accepted", None) == 1


@pytest.mark.parametrize(
    "command", ["FLUSHALL", "KEYS *", "CONFIG GET *", "ACL LIST", "SCRIPT FLUSH", "GET a", "SET a b", "MONITOR", "INFO"]
)
def test_user_may_run_no_other_command(user_url: str, command: str) -> None:
    with redis.Redis.from_url(user_url) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())
