"""Log-in: a refusal takes as long for an unknown member or organization as for a known one."""

import http.client
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count, islice
from statistics import median
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

from pydantic import SecretStr

from scripts.bench.databases import Servers, own_databases, own_valkey
from scripts.bench.figure import Effort, Figure, alternate, at_least, at_most
from scripts.bench.functions import loaded, sample
from scripts.bench.requests import MILLISECONDS, Handler
from scripts.bench.stand_in import stand_in
from tenancy.rules.audit_record import Actor
from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import hash_password, insert_provisioned, prepare_organization
from tenancy.use_cases.sessions.attempts import AttemptCounter

TRIES: Final = 200  # of each side, over all rounds
REDIS_SECONDS: Final = 5.0
KNOWN, DISABLED = "acme", "globex"  # organizations with one member each, and the second one's is disabled
WRONG: Final = "a wrong password of some length"
OPERATOR: Final = Actor(kind=CallerKind.OPERATOR, id=uuid4(), request_id="bench", source_address="203.0.113.10")
DISABLE_MEMBERS: Final = "UPDATE users SET status = 'disabled' WHERE organization_id = %s"
GOALS: Final = (at_least(0.9), at_most(1.1))


def measure(effort: Effort) -> Figure:
    """Measure with the stack's PostgreSQL and Valkey, in databases of its own."""
    tries = effort.size(max(1, TRIES // effort.rounds))
    with _deployed() as handler:
        numbers = count()

        def refused(organization: str, email: str) -> Callable[[], float]:
            return lambda: (
                MILLISECONDS * median(_seconds(handler, organization, email, each) for each in islice(numbers, tries))
            )

        known = refused(KNOWN, _admin_of(KNOWN))
        known()  # the first one imports and connects
        comparisons = [
            alternate("unknown member", effort, refused(KNOWN, "nobody@acme.example"), known, *GOALS),
            alternate("unknown organization", effort, refused("unknown", _admin_of(KNOWN)), known, *GOALS),
            alternate("disabled member", effort, refused(DISABLED, _admin_of(DISABLED)), known, *GOALS),
        ]
    return Figure(
        name="log_in",
        unit="milliseconds by the clock, the median of a round",
        measured="POST /v1/auth/token with a wrong password, in the handler of identity from API Gateway's request to "
        "the answer, which is refused because the member or the organization is unknown, or the member is disabled",
        reference="the same for an active member, which is refused because the password is wrong",
        comparisons=comparisons,
        notes=[f"Each side is tried {tries * effort.rounds} times, each time from another address."],
    )


def _seconds(handler: Handler, organization: str, email: str, number: int) -> float:
    """Return the time of one refused log-in.

    Each log-in has an address of its own, so that none exceeds the number of attempts.
    """
    request = _request(organization, email, f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
    started = perf_counter()
    answer = handler(request, None)
    seconds = perf_counter() - started
    if answer["statusCode"] != http.client.UNAUTHORIZED:
        sys.exit(f"a log-in was answered {answer['statusCode']}: {answer['body']}")
    return seconds


def _request(organization: str, email: str, source_address: str) -> dict[str, Any]:
    envelope = sample("identity/log_in")
    context = envelope["requestContext"]
    identity = context["identity"] | {"sourceIp": source_address}
    body = json.dumps({"email": email, "password": WRONG, "organization": organization})
    return envelope | {"requestContext": context | {"identity": identity}, "body": body}


@contextmanager
def _deployed() -> Iterator[Handler]:
    """Yield the handler of identity on stores of its own, with two organizations."""
    servers = Servers.load()
    with (
        own_databases(servers) as databases,
        own_valkey(servers.redis_url) as url,
        stand_in(url) as aws_url,
        loaded("identity", aws_url) as app,
    ):
        for subdomain in (KNOWN, DISABLED):
            _provision(databases.platform, subdomain, is_disabled=subdomain == DISABLED)
        redis = Redis(lambda: url, timeout_seconds=REDIS_SECONDS)
        vars(app)["platform_db"] = databases.platform
        vars(app)["attempts"] = AttemptCounter(redis=redis, count_uncounted=_stop)
        yield app.handler
        redis.close()


def _provision(db: Database, subdomain: str, *, is_disabled: bool) -> None:
    new = NewOrganization(
        name=subdomain.title(),
        subdomain=subdomain,
        admin_email=_admin_of(subdomain),
        admin_password=SecretStr("correct horse battery staple"),
    )
    now = datetime.now(UTC)
    provisioned = prepare_organization(uuid4(), new, now=now)
    organization_id = provisioned.organization.id
    with db.tenant_transaction(organization_id) as conn:
        insert_provisioned(conn, provisioned, hash_password(new), OPERATOR, now=now)
        if is_disabled:
            conn.execute(DISABLE_MEMBERS, (organization_id,))


def _admin_of(subdomain: str) -> str:
    return f"admin@{subdomain}.example"


def _stop() -> None:
    sys.exit("Redis did not answer in time.")
