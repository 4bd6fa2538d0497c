"""The replay of the register on two databases, of which one or both were restored."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.register import RegisteredChanges, ended_keys, erased_organization, erased_subject
from tenancy.stores.aws.register import Register
from tenancy.stores.postgres.platform.erasure_jobs import claim_erasure
from tenancy.use_cases.audit.read_audit import verify_audit_log
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.deletion.read_certificate import read_certificate
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.restore import erase_again
from tenancy.use_cases.restore import replay as use_case
from tenancy.use_cases.restore.find_homes import ConflictingHomesError
from tenancy.use_cases.restore.replay import Replay, ReplayStores, replay
from tenancy.use_cases.restore.restorer import RESTORER
from tests.given import ROOT
from tests.registers import read_register
from tests.use_cases.erasing import Platform
from tests.use_cases.privacy_jobs import ask_erasure, devices, stores_of
from tests.use_cases.restoring import never_pause
from tests.use_cases.storing import count, store
from tests.use_cases.test_erasures_after_moves import (
    INSERT_PERSON,
    INSERT_REFUSAL,
    LIST_ADDRESSED,
    LIST_PEOPLE,
    MARK,
    Move,
)
from tests.use_cases.two_homes import TwoHomes, homes

__all__ = ["homes"]  # a fixture

HOUR = timedelta(hours=1)
SUBJECT = "device-3"
FIND_STATUS = "SELECT status FROM organizations WHERE id = %s"
FIND_EPOCHS = "SELECT token_epoch FROM organizations"
LIST_REVOKED = "SELECT id FROM api_keys WHERE revoked_at IS NOT NULL"
INSERT_RECORD = """
    INSERT INTO audit_log VALUES (gen_random_uuid(), %s, now(), 'key', %s, 'GET /v1/usage',
                                  'header by organization ' || %s, 'refused', 'tenant_mismatch', 1, 'r', sha256('x'))
    RETURNING id
"""
NAME_IN_REFUSAL = "UPDATE audit_refusals SET target = 'header by organization ' || %s WHERE actor_id = %s"
INSERT_ENTRY = "INSERT INTO catalogue_entries VALUES (%s, 'subdomain', %s, now())"
PROVE = "INSERT INTO email_domains VALUES (%s, 'initech.example', gen_random_uuid(), 't', now(), now(), now(), NULL)"


class DiedError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC) - HOUR


@pytest.fixture
def acme(homes: TwoHomes, targets: OutboxTargets) -> Provisioned:
    return homes.provision(targets, "acme", "main")


@pytest.fixture
def globex(homes: TwoHomes, targets: OutboxTargets, acme: Provisioned) -> Provisioned:  # noqa: ARG001 - is first
    return homes.provision(targets, "globex", "second")


@pytest.fixture
def stores(homes: TwoHomes, platform: Platform) -> ReplayStores:
    domains = replace(platform.erasure_stores.domains, platform_db=homes.platform)
    erasure = replace(platform.erasure_stores, platform_db=homes.platform, domains=domains)
    privacy = {
        name: replace(stores_of(homes.main), platform_db=database, db=homes.functions.by_name()[name])
        for name, database in homes.platform.by_name().items()
    }
    return ReplayStores(erasure=erasure, privacy=privacy, signer=platform.signer)


def run(stores: ReplayStores, now: datetime, changes: RegisteredChanges | None = None) -> Replay:
    return replay(
        stores,
        read_register() if changes is None else changes,
        clock=lambda: now + timedelta(seconds=1),
        say=lambda _: None,
        pause=never_pause,
    )


def require_valid_logs(homes: TwoHomes, stores: ReplayStores, *organizations: Provisioned) -> None:
    for database in homes.platform.every():
        seal_audit_logs(database, now=datetime.now(UTC))
    for each in organizations:
        verified = verify_audit_log(homes.functions, stores.signer, each.organization.id)
        assert (verified.broken, verified.is_complete, verified.unsealed) == (None, True, 0)


@pytest.mark.parametrize("erased", ["acme", "globex"])
def test_organization_is_erased_in_its_home(
    homes: TwoHomes,
    stores: ReplayStores,
    register: Register,
    acme: Provisioned,
    globex: Provisioned,
    now: datetime,
    erased: str,
) -> None:
    gone, other = (acme, globex) if erased == "acme" else (globex, acme)
    database, others = (homes.main, homes.second) if erased == "acme" else (homes.second, homes.main)
    for each in (acme, globex):
        store(homes.main, each.organization.id, range(10), at=now - HOUR)
    register.put(erased_organization(gone.organization.id, closed_at=now))
    before = homes.entries(other.organization.id)

    runs = [run(stores, now) for _ in range(2)]

    assert [(each.organizations, each.tokens, each.faults) for each in runs] == [(1, 2, []), (1, 1, [])]
    assert homes.execute(database, FIND_STATUS, gone.organization.id) == [("erased",)]
    assert homes.execute(others, FIND_STATUS, other.organization.id) == [("active",)]
    assert (homes.entries(gone.organization.id), homes.entries(other.organization.id)) == ({}, before)
    assert [count(homes.main, each.organization.id) for each in (gone, other)] == [0, 10]
    assert read_certificate(homes.platform, stores.signer, gone.organization.id).are_valid
    require_valid_logs(homes, stores, acme, globex)


def test_keys_and_subjects_end_in_each_home(
    homes: TwoHomes, stores: ReplayStores, register: Register, acme: Provisioned, globex: Provisioned, now: datetime
) -> None:
    for each in (acme, globex):
        store(homes.main, each.organization.id, range(20), at=now - HOUR)
    register.put(ended_keys(globex.organization.id, [globex.write_key_id, acme.write_key_id], ends_at=now))
    ask_erasure(replace(homes.main, functions=homes.functions.by_name()["second"]), globex, SUBJECT, now)
    with homes.platform.by_name()["second"].transaction() as conn:
        job = claim_erasure(conn, now=now, until=now)
    assert job is not None
    register.put(erased_subject(job))
    homes.execute(homes.second, "DELETE FROM erasures")

    done = run(stores, now)

    assert (done.keys, done.subjects) == (1, 1)
    assert homes.execute(homes.second, LIST_REVOKED) == [(globex.write_key_id,)]
    assert homes.execute(homes.main, LIST_REVOKED) == []
    assert SUBJECT not in devices(homes.main, globex)
    assert SUBJECT in devices(homes.main, acme)
    require_valid_logs(homes, stores, acme, globex)


def return_old_catalogue(homes: TwoHomes, *organizations: Provisioned) -> None:
    """Write entries and addresses of an old backup into the first database.

    The addresses are in the log of the platform.
    """
    for each in organizations:
        organization, key_id = each.organization, each.secret_key_id
        homes.execute(homes.main, INSERT_ENTRY, organization.id, f"{organization.subdomain}-of-old")
        [(record_id,)] = homes.execute(homes.main, INSERT_RECORD, PLATFORM_LOG, key_id, str(organization.id))
        homes.execute(homes.main, INSERT_PERSON, PLATFORM_LOG, record_id, key_id)
        homes.execute(homes.main, INSERT_REFUSAL, PLATFORM_LOG, key_id)
        homes.execute(homes.main, NAME_IN_REFUSAL, str(organization.id), key_id)


def test_replay_cleans_the_catalogue_of_an_erased_organization(
    homes: TwoHomes, stores: ReplayStores, register: Register, targets: OutboxTargets, acme: Provisioned, now: datetime
) -> None:
    """Its home was not restored, and has erased its people."""
    globex = homes.provision(targets, "globex", "main")
    move = Move(homes, acme.organization.id)
    for step in (move.begin, move.copy, move.commit, move.open, move.finish):
        step()
    register.put(erased_organization(acme.organization.id, closed_at=now))
    run(stores, now)
    return_old_catalogue(homes, acme, globex)

    run(stores, now)

    assert homes.entries(acme.organization.id) == {}
    assert homes.entries(globex.organization.id)["subdomain"] in {"globex", "globex-of-old"}
    for statement in (LIST_PEOPLE, LIST_ADDRESSED):
        addressed = {actor for (actor,) in homes.execute(homes.main, statement, PLATFORM_LOG)}
        assert addressed - {RESTORER.id} == {globex.secret_key_id}
    assert homes.execute(homes.second, FIND_STATUS, acme.organization.id) == [("erased",)]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("begin copy open", 'has homes in the databases "main" and "second"'),
        ("begin copy", 'to the database "second" is unfinished'),
        ("begin copy commit", 'to the database "second" is unfinished'),
        ("begin copy commit finish unmark", 'is in the database "second", and in "main" according to the directory'),
    ],
)
def test_databases_that_disagree_are_refused(
    homes: TwoHomes,
    stores: ReplayStores,
    register: Register,
    acme: Provisioned,
    globex: Provisioned,
    now: datetime,
    steps: str,
    message: str,
) -> None:
    move = Move(homes, acme.organization.id)
    for step in steps.split():
        if step == "unmark":
            homes.execute(homes.second, "DELETE FROM moved_organizations")
        else:
            getattr(move, step)()
    register.put(erased_organization(globex.organization.id, closed_at=now))
    before = [homes.execute(database, FIND_EPOCHS) for database in (homes.main, homes.second)]

    with pytest.raises(ConflictingHomesError, match=rf"{acme.organization.id}.*{message}.*scripts\.move reconcile"):
        run(stores, now)

    assert [homes.execute(database, FIND_EPOCHS) for database in (homes.main, homes.second)] == before
    assert homes.execute(homes.second, FIND_STATUS, globex.organization.id) == [("active",)]


@pytest.mark.parametrize("is_erased", [True, False])
def test_copy_behind_a_mark_is_refused_before_a_change(
    homes: TwoHomes,
    stores: ReplayStores,
    register: Register,
    acme: Provisioned,
    globex: Provisioned,
    now: datetime,
    *,
    is_erased: bool,
) -> None:
    """The move was opened, and its run ended before it deleted the rows of the source."""
    if is_erased:
        register.put(erased_organization(acme.organization.id, closed_at=now))
    else:
        ask_erasure(homes.main, acme, SUBJECT, now)
        with homes.main.platform.transaction() as conn:
            job = claim_erasure(conn, now=now, until=now)
        assert job is not None
        register.put(erased_subject(job))
    move = Move(homes, acme.organization.id)
    for step in (move.begin, move.copy, move.commit, move.open):
        step()
    before = [homes.execute(database, FIND_EPOCHS) for database in (homes.main, homes.second)]

    with pytest.raises(ConflictingHomesError, match=rf'^"main" has a copy of {acme.organization.id}.*move complete'):
        run(stores, now)
    unchanged = [homes.execute(database, FIND_EPOCHS) for database in (homes.main, homes.second)]
    move.finish()
    done = run(stores, now)

    assert unchanged == before
    assert (done.organizations, done.subjects, done.faults) == (int(is_erased), int(not is_erased), [])
    assert homes.execute(homes.second, FIND_STATUS, globex.organization.id) == [("active",)]


def test_lost_organization_is_a_fault(
    homes: TwoHomes, stores: ReplayStores, acme: Provisioned, globex: Provisioned, now: datetime
) -> None:
    lost = uuid4()
    homes.execute(homes.main, MARK, lost, "moved", "second", uuid4())

    done = run(stores, now)

    assert done.faults == [f'{lost}: in no database, and "second" should have it']
    assert done.tokens == len([acme, globex])


def test_value_of_an_old_catalogue_returns_to_its_organization(
    homes: TwoHomes, stores: ReplayStores, acme: Provisioned, globex: Provisioned, now: datetime
) -> None:
    before = homes.entries(globex.organization.id)
    homes.execute(
        homes.main,
        "UPDATE catalogue_entries SET organization_id = %s, claimed_at = %s WHERE organization_id = %s",
        acme.organization.id,
        now - HOUR,
        globex.organization.id,
    )

    done = run(stores, now)

    assert done.faults == []
    assert homes.entries(globex.organization.id) == before


def test_value_of_two_organizations_is_a_fault_of_both(
    homes: TwoHomes, stores: ReplayStores, acme: Provisioned, globex: Provisioned, now: datetime
) -> None:
    """Globex has proven a domain since the backup of acme, which then still had it."""
    homes.execute(homes.main, PROVE, acme.organization.id)
    homes.execute(homes.second, PROVE, globex.organization.id)

    before = run(stores, now)
    with homes.platform.tenant_transaction(acme.organization.id) as conn:
        conn.execute(documented_withdrawal(), {"id": acme.organization.id})
    after = run(stores, now)

    assert before.faults == [
        f"{each.organization.id}: another organization has its email_domain 'initech.example', too"
        for each in (acme, globex)
    ]
    assert after.faults == []
    assert homes.entries(globex.organization.id)["email_domain"] == "initech.example"


def documented_withdrawal() -> bytes:
    """Return the statement of docs/disaster-recovery.md for a domain of two organizations."""
    text = (ROOT / "docs/disaster-recovery.md").read_text()
    found = re.search(r"UPDATE email_domains SET [^;]*", text)
    assert found is not None
    return found[0].replace("'<id>'", "%(id)s").replace("<domain>", "initech.example").encode()


@pytest.mark.parametrize(
    "death",
    [
        (use_case, "update_epochs"),
        (use_case, "end_keys_again"),
        (use_case, "restore_tombstones"),
        (erase_again, "delete_named_people"),
        (erase_again, "certify"),
        (use_case, "erase_subjects_again"),
        (use_case, "claim_again"),
    ],
)
def test_death_between_the_databases_is_repaired_by_the_next_run(
    homes: TwoHomes,
    stores: ReplayStores,
    register: Register,
    acme: Provisioned,
    globex: Provisioned,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    death: tuple[object, str],
) -> None:
    module, call = death
    register.put(erased_organization(globex.organization.id, closed_at=now))
    register.put(ended_keys(acme.organization.id, [acme.write_key_id], ends_at=now))
    with monkeypatch.context() as patch:
        patch.setattr(module, call, dying(getattr(module, call)))
        with pytest.raises(DiedError):
            run(stores, now)

    done = run(stores, now)

    assert (done.organizations, done.faults) == (1, [])
    assert homes.execute(homes.second, FIND_STATUS, globex.organization.id) == [("erased",)]
    assert homes.execute(homes.main, LIST_REVOKED) == [(acme.write_key_id,)]
    require_valid_logs(homes, stores, acme, globex)


def dying(call: Callable[..., object]) -> Callable[..., object]:
    """Return *call* so that the process dies after it."""

    def die(*args: object, **options: object) -> None:
        call(*args, **options)
        raise DiedError

    return die
