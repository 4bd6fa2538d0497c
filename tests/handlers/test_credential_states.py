"""A revoked, expired or replaced credential is refused at its next request.

The authorizer's answer stays the same, as in API Gateway's cache.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID, uuid4

import pytest
from redis import Redis as Client

from tenancy.rules.tenant import CallerKind, Operator, RateBucket, Tenant
from tenancy.stores.aws.secrets import REDIS
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.publish_standing import publish_standing
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, PutSecret, Start, superuser
from tests.handlers.redis_keys import persist_keys
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, recent_event, sample, segment_call, with_body
from tests.handlers.sent_events import segment_batch, settings_request

pytestmark = pytest.mark.usefixtures("secrets")

LIFE: Final = timedelta(minutes=10)
INSTANT: Final = timedelta(milliseconds=1)
REFUSED: Final = (401, "unauthenticated")
NO_PROJECT: Final = (404, "not_found")
REVOKE_KEY: Final = "UPDATE api_keys SET revoked_at = %(now)s WHERE id = %(id)s"
END_KEY: Final = "UPDATE api_keys SET expires_at = %(ends_at)s WHERE id = %(id)s"
REPLACE_KEY: Final = "UPDATE api_keys SET expires_at = %(ends_at)s, replaced_by = %(successor)s WHERE id = %(id)s"
REVOKE_PLATFORM_KEY: Final = REVOKE_KEY.replace("api_keys", "platform_keys")
END_PLATFORM_KEY: Final = END_KEY.replace("api_keys", "platform_keys")
REPLACE_PLATFORM_KEY: Final = REPLACE_KEY.replace("api_keys", "platform_keys")
DISABLE_MEMBER: Final = "UPDATE users SET status = 'disabled' WHERE id = %(id)s"
RAISE_EPOCH: Final = "UPDATE users SET token_epoch = token_epoch + 1 WHERE id = %(id)s"
NOTHING: Final = "SELECT %(ends_at)s"  # a token has its end in itself

type Request = Callable[[Provisioned, datetime | None], Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of credential on one route.

    *revoking* are statements after which the next request is refused. *expiring* gives the credential an end, which the
    authorizer knows. *replacing* starts an overlap, of which the authorizer's cached answer does not know.
    """

    function: str
    request: Request
    revoking: tuple[str, ...]
    expiring: str
    replacing: str | None = None
    refusal: tuple[int, str] = REFUSED

    def credential_id(self, acme: Provisioned) -> UUID:
        context = self.request(acme, None)["requestContext"].get("authorizer")
        return UUID(context["credential_id"]) if context else acme.write_key_id


def by_secret_key(acme: Provisioned, ends_at: datetime | None) -> Event:
    return called_by(sample("audit", "list"), replace(tenant_of(acme), expires_at=ends_at))


def by_person(acme: Provisioned, ends_at: datetime | None) -> Event:
    token_end = ends_at or datetime.now(UTC) + 2 * LIFE
    person = replace(tenant_of(acme), credential_id=acme.admin_user_id, kind=CallerKind.PERSON, epoch="0.0")
    return called_by(sample("audit", "list"), replace(person, expires_at=token_end))


def by_write_key(acme: Provisioned, ends_at: datetime | None) -> Event:
    device: Tenant = replace(
        tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST, expires_at=ends_at
    )
    return called_by(with_body(sample("ingest", "events"), {"events": [recent_event(1)]}), device)


def by_segment(acme: Provisioned, _ends_at: datetime | None) -> Event:
    return segment_batch(segment_call(1), key=acme.write_key)


def by_segment_settings(acme: Provisioned, _ends_at: datetime | None) -> Event:
    return settings_request(acme.write_key.text)


def by_platform_key(_acme: Provisioned, ends_at: datetime | None) -> Event:
    return called_by(sample("provision", "list"), Operator(credential_id=OPERATOR.credential_id, expires_at=ends_at))


of_key = partial(Kind, revoking=(REVOKE_KEY,), expiring=END_KEY, replacing=REPLACE_KEY)
KINDS = {
    "secret key": of_key(function="audit", request=by_secret_key),
    "write key": of_key(function="ingest", request=by_write_key),
    "write key on a Segment path": of_key(function="ingest", request=by_segment),
    "write key of a project": of_key(function="ingest", request=by_segment_settings, refusal=NO_PROJECT),
    "platform key": Kind(
        function="provision",
        request=by_platform_key,
        revoking=(REVOKE_PLATFORM_KEY,),
        expiring=END_PLATFORM_KEY,
        replacing=REPLACE_PLATFORM_KEY,
    ),
    "token": Kind(function="audit", request=by_person, revoking=(DISABLE_MEMBER, RAISE_EPOCH), expiring=NOTHING),
}
EACH_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A function that has admitted a credential, and a change of the credential."""

    databases: Databases
    counters: Redis
    acme: Provisioned
    clock: StoppedClock
    redis: str
    start: Start

    def function(self, kind: Kind) -> Function:
        function = self.start(kind.function)
        self.clock.stop(function)
        return function

    def change(self, kind: Kind, statement: str) -> None:
        """Change the credential, and publish the change as its request does.

        Nothing is published if Redis is unreachable or empty.
        """
        now = self.clock.moment
        credential_id = kind.credential_id(self.acme)
        values = {"id": credential_id, "now": now, "ends_at": now + LIFE, "successor": uuid4()}
        with superuser(self.databases) as conn:
            conn.execute(statement.encode(), values)
        if self.redis == "empty":
            with Client.from_url(self.databases.servers.valkey_url) as client:
                client.flushall()
        if self.redis == "reachable" and kind.request is not by_platform_key:
            organization_id = self.acme.organization.id
            publish_standing(self.databases.platform, self.counters, organization_id, credential_id=credential_id)


@pytest.fixture(params=["reachable", "unreachable", "empty"])
def scene(
    request: pytest.FixtureRequest,
    start: Start,
    put_secret: PutSecret,
    nowhere: str,
    databases: Databases,
    counters: Redis,
    acme: Provisioned,
    clock: StoppedClock,
) -> Scene:
    if request.param == "unreachable":
        put_secret(REDIS, f"redis://{nowhere}/0")
    return Scene(databases=databases, counters=counters, acme=acme, clock=clock, redis=request.param, start=start)


def outcome(function: Function, request: Event) -> tuple[int, str]:
    answer = answer_of(function(request))
    return answer.status, answer.document.get("code", "") if answer.status >= 400 else ""


@pytest.mark.parametrize(
    ("name", "statement"), [(name, statement) for name, kind in KINDS.items() for statement in kind.revoking]
)
def test_revoked_credential_is_refused_at_its_next_request(scene: Scene, name: str, statement: str) -> None:
    kind = KINDS[name]
    function, request = scene.function(kind), kind.request(scene.acme, None)
    assert outcome(function, request) == (200, "")
    persist_keys(scene.databases.servers)

    scene.change(kind, statement)

    assert outcome(function, request) == kind.refusal


@EACH_KIND
def test_expired_credential_is_refused_at_its_next_request(scene: Scene, kind: Kind) -> None:
    scene.change(kind, kind.expiring)
    function, request = scene.function(kind), kind.request(scene.acme, scene.clock.moment + LIFE)
    assert outcome(function, request) == (200, "")
    persist_keys(scene.databases.servers)

    scene.clock.advance(LIFE)

    assert outcome(function, request) == kind.refusal


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS.values() if kind.replacing], ids=[name for name in KINDS if KINDS[name].replacing]
)
def test_replaced_key_is_refused_from_the_end_of_its_overlap_on(scene: Scene, kind: Kind) -> None:
    assert kind.replacing is not None
    function, request = scene.function(kind), kind.request(scene.acme, None)
    assert outcome(function, request) == (200, "")

    scene.change(kind, kind.replacing)
    scene.clock.advance(LIFE - INSTANT)
    assert outcome(function, request) == (200, "")
    persist_keys(scene.databases.servers)
    scene.clock.advance(INSTANT)

    assert outcome(function, request) == kind.refusal


@EACH_KIND
def test_other_organization_stays_admitted(scene: Scene, kind: Kind, globex: Provisioned) -> None:
    function = scene.function(kind)

    scene.change(kind, kind.revoking[0])

    if kind.request is not by_platform_key:
        assert outcome(function, kind.request(globex, None)) == (200, "")
