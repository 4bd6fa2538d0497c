"""Changes of keys that crash at any moment: the retry or the sweep completes them once."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from tenancy.errors import NotFoundError
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.audit_record import Actor
from tenancy.rules.durations import MIN_OWN_OVERLAP, PUBLICATION_CLAIM_TIME
from tenancy.rules.keys.managed_keys import KeyKind, NewKey
from tenancy.rules.register import digest_of
from tenancy.rules.tenant import CallerKind
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.apps.delete_app import delete_app
from tenancy.use_cases.keys.authenticate import authenticate_key
from tenancy.use_cases.keys.create_key import WantedKey, create_key
from tenancy.use_cases.keys.platform_keys import create_platform_key
from tenancy.use_cases.keys.revoke_key import revoke_key
from tenancy.use_cases.keys.rotate_key import WantedRotation, rotate_key
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.sweep import sweep
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import Crash, crashes
from tests.given import NOW, OPERATOR, Databases, new_organization, tenant_of
from tests.registers import read_register

pytestmark = pytest.mark.exhaustive

WANTED = WantedKey(kind=KeyKind.SECRET, name="Billing", app_id=None, scopes=None, expires_at=None)
COUNT_ACTIONS = "SELECT count(*) FROM audit_log WHERE organization_id = %s AND action = %s"
LIST_KEYS = "SELECT id, revoked_at IS NOT NULL, replaced_by FROM api_keys WHERE organization_id = %s ORDER BY id"


@dataclass(slots=True)
class Client:
    """A client of an organization, and the answers that it got.

    No other client has the organization. Redis knows its secret key as live.
    """

    databases: Databases
    targets: OutboxTargets
    encryptor: Encryptor
    gate: AdmissionGate
    acme: Provisioned
    answers: list[Any] = field(default_factory=list)

    @property
    def organization_id(self) -> UUID:
        return self.acme.organization.id

    def create(self) -> None:
        tenant = tenant_of(self.acme)
        self.answers.append(
            create_key(
                self.databases.platform, self.encryptor, tenant, WANTED, OPERATOR, idempotency_key="order-1", now=NOW
            )
        )

    def rotate(self) -> None:
        rotated = rotate_key(
            self.databases.platform,
            self.targets,
            self.encryptor,
            tenant_of(self.acme),
            WantedRotation(key_id=self.acme.secret_key_id, overlap=timedelta(0)),
            OPERATOR,
            idempotency_key="order-1",
            now=NOW,
        )
        self.answers.append(rotated.result)

    def rotate_itself(self) -> None:
        """Rotate the secret key with the key itself, if it is still admitted."""
        assert self.verdict(self.acme.secret_key_id) is AdmissionVerdict.ADMITTED
        rotated = rotate_key(
            self.databases.platform,
            self.targets,
            self.encryptor,
            tenant_of(self.acme),
            WantedRotation(key_id=self.acme.secret_key_id, overlap=MIN_OWN_OVERLAP),
            Actor(
                kind=CallerKind.KEY, id=self.acme.secret_key_id, request_id="request-1", source_address="203.0.113.1"
            ),
            idempotency_key="order-1",
            now=NOW,
        )
        self.answers.append(rotated.result)

    def revoke(self) -> None:
        key_id = self.acme.secret_key_id
        revoke_key(self.databases.platform, self.targets, self.organization_id, key_id, OPERATOR, now=NOW)

    def delete_app(self) -> None:
        """Delete the app. Its key is the write key. A repeated deletion finds no app."""
        delete_app(self.databases.platform, self.targets, tenant_of(self.acme), self.acme.app_id, OPERATOR, now=NOW)

    def verdict(self, key_id: UUID) -> AdmissionVerdict:
        """Return the decision on a request whose credential an authorizer has cached."""
        return self.gate.admit(replace(tenant_of(self.acme), credential_id=key_id), now=NOW).verdict


def is_registered(client: Client, key_id: UUID) -> bool:
    """Whether a restore would end the key again."""
    ends = read_register().key_ends.get(digest_of(client.organization_id), {})
    return digest_of(client.organization_id, key_id) in ends


type NewClient = Callable[[], Client]


@pytest.fixture
def new_client(databases: Databases, targets: OutboxTargets, encryptor: Encryptor, counters: Redis) -> NewClient:
    numbers, gate = count(), AdmissionGate(counters, lambda: databases.functions)

    def begin() -> Client:
        new = new_organization(f"acme-{next(numbers)}", Tier.STARTER)
        acme = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)
        client = Client(databases, targets, encryptor, gate, acme)
        for key_id in (acme.secret_key_id, acme.write_key_id):
            assert client.verdict(key_id) is AdmissionVerdict.ADMITTED
        return client

    return begin


def require_actions(aftermath: Aftermath, crash: Crash[Client], action: str, *counts: int) -> int:
    [(found,)] = aftermath.rows(COUNT_ACTIONS, (crash.state.organization_id, action))
    assert found in counts, crash
    return int(found)


def test_crashed_creation_makes_one_key(new_client: NewClient, databases: Databases, aftermath: Aftermath) -> None:
    crashed = 0
    for crash in crashes(new_client, Client.create):
        client = crash.state
        done = require_actions(aftermath, crash, "key.created", 0, 1)
        assert len(aftermath.rows(LIST_KEYS, (client.organization_id,))) == 2 + done, crash

        client.create()

        require_actions(aftermath, crash, "key.created", 1)
        assert all(answer == client.answers[0] for answer in client.answers), crash
        assert len(aftermath.rows(LIST_KEYS, (client.organization_id,))) == 3, crash
        found = authenticate_key(databases.authorizer, client.answers[0].key, now=NOW)
        assert found.caller.credential_id == client.answers[0].id
        crashed += 1
    assert crashed > 2


def test_crashed_rotation_makes_one_key(new_client: NewClient, databases: Databases, aftermath: Aftermath) -> None:
    crashed = 0
    for crash in crashes(new_client, Client.rotate):
        client = crash.state
        done = require_actions(aftermath, crash, "key.rotated", 0, 1)
        keys = {key_id: rest for key_id, *rest in aftermath.rows(LIST_KEYS, (client.organization_id,))}
        assert len(keys) == 2 + done, crash
        assert keys[client.acme.secret_key_id][0] is bool(done), crash

        client.rotate()

        require_actions(aftermath, crash, "key.rotated", 1)
        assert all(answer == client.answers[0] for answer in client.answers), crash
        keys = {key_id: rest for key_id, *rest in aftermath.rows(LIST_KEYS, (client.organization_id,))}
        assert len(keys) == 3, crash
        assert keys[client.acme.secret_key_id] == [True, client.answers[0].new.id], crash
        assert client.verdict(client.acme.secret_key_id) is AdmissionVerdict.UNAUTHENTICATED, crash
        assert is_registered(client, client.acme.secret_key_id), crash
        found = authenticate_key(databases.authorizer, client.answers[0].new.key, now=NOW)
        assert found.caller.credential_id == client.answers[0].new.id
        crashed += 1
    assert crashed > 3


def test_key_repeats_its_own_crashed_rotation(
    new_client: NewClient, databases: Databases, aftermath: Aftermath
) -> None:
    crashed = 0
    for crash in crashes(new_client, Client.rotate_itself):
        client = crash.state

        client.rotate_itself()

        require_actions(aftermath, crash, "key.rotated", 1)
        assert all(answer == client.answers[0] for answer in client.answers), crash
        found = authenticate_key(databases.authorizer, client.answers[0].new.key, now=NOW)
        assert found.caller.credential_id == client.answers[0].new.id
        crashed += 1
    assert crashed > 3


@pytest.mark.parametrize("next_step", ["client", "sweep"])
def test_crashed_revocation_bites_after_the_next_step(
    new_client: NewClient,
    databases: Databases,
    targets: OutboxTargets,
    counters: Redis,
    aftermath: Aftermath,
    next_step: str,
) -> None:
    crashed = 0
    for crash in crashes(new_client, Client.revoke):
        client = crash.state
        done = require_actions(aftermath, crash, "key.revoked", 0, 1)

        if next_step == "client":
            client.revoke()
        else:
            sweep(databases.platform, counters, targets, now=NOW + PUBLICATION_CLAIM_TIME)

        require_actions(aftermath, crash, "key.revoked", 1 if next_step == "client" else done)
        is_revoked = done or next_step == "client"
        expected = AdmissionVerdict.UNAUTHENTICATED if is_revoked else AdmissionVerdict.ADMITTED
        assert client.verdict(client.acme.secret_key_id) is expected, crash
        assert is_registered(client, client.acme.secret_key_id) is bool(is_revoked), crash
        crashed += 1
    assert crashed > 2


def test_crashed_deletion_of_an_app_revokes_its_keys(
    new_client: NewClient, databases: Databases, targets: OutboxTargets, counters: Redis, aftermath: Aftermath
) -> None:
    crashed = 0
    for crash in crashes(new_client, Client.delete_app):
        client = crash.state
        done = require_actions(aftermath, crash, "app.deleted", 0, 1)
        require_actions(aftermath, crash, "key.revoked", done)

        if done:
            with pytest.raises(NotFoundError):
                client.delete_app()
        else:
            client.delete_app()
        sweep(databases.platform, counters, targets, now=NOW + PUBLICATION_CLAIM_TIME)

        require_actions(aftermath, crash, "app.deleted", 1)
        require_actions(aftermath, crash, "key.revoked", 1)
        assert client.verdict(client.acme.write_key_id) is AdmissionVerdict.UNAUTHENTICATED, crash
        assert is_registered(client, client.acme.write_key_id), crash
        assert client.verdict(client.acme.secret_key_id) is AdmissionVerdict.ADMITTED, crash
        crashed += 1
    assert crashed > 2


def test_crashed_creation_makes_one_platform_key(
    databases: Databases, encryptor: Encryptor, aftermath: Aftermath
) -> None:
    numbers, crashed = count(), 0

    def create(name: str) -> NewKey:
        db = databases.platform
        return create_platform_key(db, encryptor, name, None, OPERATOR, idempotency_key=name, now=NOW)

    for crash in crashes(lambda: f"key-{next(numbers)}", create):
        first, second = create(crash.state), create(crash.state)

        assert first == second
        rows = aftermath.rows("SELECT id FROM platform_keys WHERE name = %s", (crash.state,))
        assert rows == [(first.id,)], crash
        crashed += 1
    assert crashed > 2
