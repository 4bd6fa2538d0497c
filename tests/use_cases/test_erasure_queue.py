"""Organizations take turns in the queue of erasures, and each has a limit."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Barrier

import pytest

from scripts.stack import postgres
from tenancy.errors import ConflictError
from tenancy.rules.durations import PRIVACY_JOB_CLAIM_TIME
from tenancy.rules.erasures import MAX_PENDING_ERASURES, SubjectKind, hash_subject
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.leases import has_claimed_jobs
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.privacy.erase_subject import claim_due_erasure
from tenancy.use_cases.privacy.request_erasure import request_erasure
from tests.given import Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW
from tests.use_cases.privacy_jobs import actor_of, ask_erasure, ask_export, repeat_erasures, run_jobs, time_for

SECOND = timedelta(seconds=1)
SUBJECT = "device-1"
COUNT_PENDING = "SELECT count(*) FROM erasures WHERE organization_id = %s AND status = 'pending'"


def claim_in_turn(databases: Databases, number: int) -> list[object]:
    """Claim *number* erasures one after the other, and return their organizations."""
    jobs = [claim_due_erasure(databases.platform, now=NOW + each * SECOND) for each in range(number)]
    return [job and job.organization_id for job in jobs]


def ask_at_once(databases: Databases, provisioned: Provisioned, barrier: Barrier) -> str:
    url = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    with closing(Database(lambda: url)) as db:
        barrier.wait()
        try:
            request_erasure(
                db, tenant_of(provisioned), hash_subject(SubjectKind.DEVICE_ID, "a"), actor_of(provisioned), now=NOW
            )
        except ConflictError:
            return "refused"
    return "accepted"


def test_organizations_take_turns_in_the_erasure_queue(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    for number in range(3):
        ask_erasure(databases, acme, f"device-{number}", NOW - 2 * SECOND)

    ask_erasure(databases, globex, SUBJECT, NOW - SECOND)

    of_acme, of_globex = acme.organization.id, globex.organization.id
    assert claim_in_turn(databases, 5) == [of_acme, of_globex, of_acme, of_acme, None]


def test_organization_served_longest_ago_is_next(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    for number in range(2):
        ask_erasure(databases, acme, f"device-{number}", NOW - 2 * SECOND)

    ask_erasure(databases, globex, SUBJECT, NOW - SECOND)

    assert run_jobs(databases, NOW, time_for(1)).erasures == 1
    assert claim_in_turn(databases, 2) == [globex.organization.id, acme.organization.id]


def test_expired_claim_blocks_no_other_job(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    ask_erasure(databases, acme, SUBJECT, NOW)

    assert claim_in_turn(databases, 1) == [acme.organization.id]

    ask_erasure(databases, globex, SUBJECT, NOW)

    for _ in range(2):
        assert claim_due_erasure(databases.platform, now=NOW + PRIVACY_JOB_CLAIM_TIME) is not None
    assert claim_due_erasure(databases.platform, now=NOW + PRIVACY_JOB_CLAIM_TIME) is None


def test_pending_erasures_are_limited_under_concurrency(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    ask_erasure(databases, acme, SUBJECT, NOW)
    repeat_erasures(databases, MAX_PENDING_ERASURES - 3)

    barrier = Barrier(6)

    with ThreadPoolExecutor(6) as pool:
        outcomes = Counter(pool.map(lambda _: ask_at_once(databases, acme, barrier), range(6)))

    assert outcomes == {"accepted": 2, "refused": 4}

    ask_erasure(databases, globex, SUBJECT, NOW)
    assert run_jobs(databases, NOW, time_for(2)).erasures == 2

    ask_erasure(databases, acme, "another", NOW)

    with superuser(databases) as conn:
        assert conn.execute(COUNT_PENDING, (acme.organization.id,)).fetchone() == (MAX_PENDING_ERASURES,)


@pytest.mark.parametrize(("status", "erasures"), [("deleted", 1), ("erasing", 0), ("erased", 0)])
def test_erasing_organization_runs_no_subject_erasure(
    databases: Databases, acme: Provisioned, status: str, erasures: int
) -> None:
    ask_erasure(databases, acme, SUBJECT, NOW)
    ask_export(databases, acme, NOW)
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = %s WHERE id = %s", (status, acme.organization.id))

    done = run_jobs(databases, NOW)

    assert (done.erasures, done.exports) == (erasures, 0)


def test_claimed_job_is_visible_until_its_claim_expires(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    ask_erasure(databases, acme, SUBJECT, NOW)

    assert claim_due_erasure(databases.platform, now=NOW) is not None

    for provisioned, now, expected in (
        (acme, NOW, True),
        (globex, NOW, False),
        (acme, NOW + PRIVACY_JOB_CLAIM_TIME, False),
    ):
        with databases.platform.transaction() as conn:
            assert (
                has_claimed_jobs(conn, provisioned.organization.id, now=now, until=NOW + PRIVACY_JOB_CLAIM_TIME)
                is expected
            )
