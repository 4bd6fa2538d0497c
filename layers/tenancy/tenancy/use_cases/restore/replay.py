"""Replay the register on restored databases, before they serve requests.

Reasons: docs/decisions/0080-register-and-replay.md. No function may have the URLs of the restored databases yet. So no
writer runs, and no request is answered from data that was erased, or for a key that was revoked. Each step is
idempotent: after a death or an error the replay is run again from its beginning.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.rules.audit_record import PLATFORM_LOG, AuditRecord
from tenancy.rules.register import RegisteredChanges, digest_of
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.catalogue import delete_markers
from tenancy.stores.postgres.platform.restored import update_epochs
from tenancy.use_cases.deletion.erasure_stores import ErasureStores
from tenancy.use_cases.deletion.restore_tombstones import restore_tombstones
from tenancy.use_cases.restore.claim_again import claim_again
from tenancy.use_cases.restore.end_keys_again import end_keys_again, end_platform_keys_again
from tenancy.use_cases.restore.end_tokens import end_tokens
from tenancy.use_cases.restore.erase_again import erase_again, erase_returned, erase_unknown
from tenancy.use_cases.restore.erase_subjects_again import Pause, erase_subjects_again
from tenancy.use_cases.restore.find_homes import find_homes, require_no_copies
from tenancy.use_cases.restore.mark_again import mark_again
from tenancy.use_cases.restore.restorer import RESTORER
from tenancy.use_cases.schedule.privacy_jobs import PrivacyJobStores

REPLAYED = "restore.replayed"

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayStores:
    """The restored databases, *privacy* by name, and the AWS services with organizations' data."""

    erasure: ErasureStores
    privacy: Mapping[str, PrivacyJobStores]
    signer: Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The numbers of one replay: organizations whose tokens ended, ended keys, and erasures.

    *faults* are sentences. They name an organization that no database has, or a value that two organizations have.
    """

    tokens: int
    keys: int
    organizations: int
    subjects: int
    faults: Sequence[str] = ()


def replay(
    stores: ReplayStores,
    changes: RegisteredChanges,
    *,
    clock: Callable[[], datetime],
    say: Say,
    pause: Pause,
) -> Replay:
    """End all sessions, one-time tokens and keys of the register, and erase its organizations and data subjects.

    *pause* is that of `erase_subjects_again`.

    Raises:
        ConflictingHomesError: several databases disagree on the home of an organization. Nothing was changed.
        UnavailableError, ClickHouseError, RedisUnreachableError: a store is unreachable. Call it again.
        RowsLeftError: as for `certify` and `erase_subjects_again`.
    """
    platform_db, now = stores.erasure.platform_db, clock()
    homes = find_homes(platform_db)
    require_no_copies(platform_db, changes)
    known = {digest_of(each): each for each in homes.names}
    with platform_db.catalogue.transaction() as conn:
        delete_markers(conn)  # a restored catalogue lacks the entries of later values
    tokens = _end_sessions(platform_db, now=now)
    say(f"{tokens} organizations: all sessions and access tokens end")
    say(f"{end_tokens(platform_db, known.values(), now=now)} invitations and password resets end")
    keys = _end_keys(platform_db, changes, known, now=now)
    say(f"{keys} keys end again")
    marked = mark_again(platform_db, changes, known, now=now)
    say(f"{marked} organizations are marked as deleted, or as restored, again")
    erased = _erase_organizations(stores, changes, known, clock=clock, say=say)
    subjects = 0
    for name, privacy in stores.privacy.items():
        own = {known[each]: found for each, found in changes.subjects.items() if homes.is_in(name, known.get(each))}
        subjects += erase_subjects_again(privacy, own, clock=clock, pause=pause)
    say(f"{subjects} data subjects: erased again")
    faults = [f'{each}: in no database, and "{name}" should have it' for each, name in homes.lost.items()]
    faults += claim_again(platform_db, homes.names, now=clock(), say=say)
    done = Replay(tokens=tokens, keys=keys, organizations=erased, subjects=subjects, faults=faults)
    _record(stores, done, now=clock())
    return done


def _end_sessions(platform_db: Homes, *, now: datetime) -> int:
    ended = 0
    for database in platform_db.every():
        with database.transaction() as conn:
            ended += update_epochs(conn, epoch=int(now.timestamp()) // 60, now=now)
    return ended


def _end_keys(platform_db: Homes, changes: RegisteredChanges, known: Mapping[str, UUID], *, now: datetime) -> int:
    ended = end_platform_keys_again(platform_db, changes.key_ends.get(digest_of(PLATFORM_LOG), {}), now=now)
    for organization, ends in changes.key_ends.items():
        if organization in known:
            ended += end_keys_again(platform_db, known[organization], ends, now=now)
    return ended


def _erase_organizations(
    stores: ReplayStores,
    changes: RegisteredChanges,
    known: Mapping[str, UUID],
    *,
    clock: Callable[[], datetime],
    say: Say,
) -> int:
    """Erase the organizations of the register, and others whose tombstone PostgreSQL has.

    Tombstones that PostgreSQL has come first. Their organizations may have rows in an older ClickHouse again.
    """
    for database in stores.erasure.platform_db.every():
        restore_tombstones(database, stores.erasure.client())
    again = [known[each] for each in changes.organizations if each in known]
    for organization_id in sorted(again):
        erase_again(stores.erasure, stores.signer, organization_id, clock=clock)
        say(f"{organization_id}: erased again")
    returned = erase_returned(stores.erasure)
    for organization_id in returned:
        say(f"{organization_id}: erased from ClickHouse, PostgreSQL knows it as erased")
    unknown = erase_unknown(stores.erasure, changes.organizations, known.values(), now=clock())
    for organization_id in unknown.erased:
        say(f"{organization_id}: erased from ClickHouse, PostgreSQL does not know it")
    for organization_id in unknown.left:
        say(f"{organization_id}: has rows in ClickHouse, is not in PostgreSQL, and was never erased")
    return len(again) + len(returned) + len(unknown.erased)


def _record(stores: ReplayStores, done: Replay, *, now: datetime) -> None:
    target = f"{done.organizations} organizations, {done.subjects} subjects, {done.keys} keys"
    with stores.erasure.platform_db.tenant_transaction(PLATFORM_LOG) as conn:
        insert_audit_record(conn, PLATFORM_LOG, AuditRecord.done(REPLAYED, target, RESTORER, now=now))
