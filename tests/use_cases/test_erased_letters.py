"""Erasures remove dead letters: all of an organization, and exactly the events of a data subject."""

from datetime import timedelta
from uuid import UUID

import pytest

from tenancy.rules.dead_letters import DeadLetterKind
from tenancy.rules.erasures import ErasureStatus, SubjectKind
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.privacy import erase_from_dead_letters
from tests.given import Databases
from tests.handlers.queues import rows_in
from tests.use_cases.dead_letters import NOW, bodies, call, drain, frame, letters, marks, message, row
from tests.use_cases.erasing import PURGE, Platform
from tests.use_cases.privacy_jobs import ask_erasure, erasure, run_jobs

MINUTE = timedelta(minutes=1)
DELETED = (True, False, False, True)

pytestmark = pytest.mark.usefixtures("aws")


def devices_in_bodies() -> list[list[str]]:
    return sorted([each.device_id for each in rows_in(body)] for body in bodies().values())


def test_subject_is_removed_from_frames(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    own, other = acme.organization.id, globex.organization.id
    drain(
        databases,
        message(own, frame(row(own, "phone"), row(own, "tablet"))),
        message(own, frame(row(own, "phone")), kind=DeadLetterKind.HELD_EVENTS),
        message(own, frame(row(own, "tablet"))),
        message(other, frame(row(other, "phone"))),
    )
    requested = ask_erasure(databases, acme, "phone", NOW)

    run_jobs(databases, NOW + MINUTE)

    assert erasure(databases, acme, requested).status is ErasureStatus.ERASED
    assert devices_in_bodies() == [["phone"], ["tablet"], ["tablet"]]
    assert marks(databases, own).count(DELETED) == 1
    assert all(f"{own}" not in key for key, body in bodies().items() if rows_in(body)[0].device_id == "phone")


def test_user_is_removed_from_frames(databases: Databases, acme: Provisioned) -> None:
    own = acme.organization.id
    drain(databases, message(own, frame(row(own, "phone", user="jane"), row(own, "phone", user="joe"))))
    ask_erasure(databases, acme, "jane", NOW, SubjectKind.USER_ID)

    run_jobs(databases, NOW + MINUTE)

    [body] = bodies().values()
    assert [each.user_names for each in rows_in(body)] == [("joe",)]


@pytest.mark.parametrize(
    "content",
    [
        '{"userId": "jane"}',
        '{"context": {"traits": {"id": "jane"}}}',
        '{"a": [{"b": ["jane"]}]}',
        "not JSON",
        '{"userId": "ja\\u006ee"}',
    ],
)
def test_call_that_may_hold_the_subject_is_deleted(databases: Databases, acme: Provisioned, content: str) -> None:
    own = acme.organization.id
    drain(
        databases,
        message(own, call(content), kind=DeadLetterKind.CALLS),
        message(own, call('{"userId": "joe"}'), kind=DeadLetterKind.CALLS),
    )
    ask_erasure(databases, acme, "jane", NOW, SubjectKind.USER_ID)

    run_jobs(databases, NOW + MINUTE)

    assert list(bodies().values()) == [call('{"userId": "joe"}')]


def test_unreadable_frame_is_deleted(databases: Databases, acme: Provisioned) -> None:
    own = acme.organization.id
    drain(databases, message(own, "no frame"))
    ask_erasure(databases, acme, "phone", NOW)

    run_jobs(databases, NOW + MINUTE)

    assert (bodies(), marks(databases, own)) == ({}, [DELETED])


def test_events_after_the_request_stay(databases: Databases, acme: Provisioned) -> None:
    own = acme.organization.id
    drain(databases, message(own, frame(row(own, "phone", at=NOW + MINUTE), row(own, "phone"))))
    ask_erasure(databases, acme, "phone", NOW)

    run_jobs(databases, NOW + 2 * MINUTE)

    assert devices_in_bodies() == [["phone"]]


def test_letter_that_is_drained_later_is_searched_in_the_next_pass(databases: Databases, acme: Provisioned) -> None:
    own = acme.organization.id
    requested = ask_erasure(databases, acme, "phone", NOW)
    run_jobs(databases, NOW + MINUTE)
    drain(databases, message(own, frame(row(own, "phone"))), now=NOW + 2 * MINUTE)

    run_jobs(databases, NOW + timedelta(hours=2))

    assert erasure(databases, acme, requested).status is ErasureStatus.CONFIRMED
    assert bodies() == {}


def test_many_letters_are_searched_in_several_runs(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase_from_dead_letters, "LETTERS_PER_PAGE", 2)
    monkeypatch.setattr(erase_from_dead_letters, "PAGES_PER_RUN", 2)
    own = acme.organization.id
    drain(databases, *(message(own, frame(row(own, "phone"))) for _ in range(7)))
    requested = ask_erasure(databases, acme, "phone", NOW)

    run_jobs(databases, NOW + MINUTE)

    assert erasure(databases, acme, requested).status is ErasureStatus.PENDING
    assert len(bodies()) == 3
    run_jobs(databases, NOW + 3 * MINUTE)
    assert bodies() == {}


def test_erased_organization_leaves_no_letter(platform: Platform, acme: Provisioned, globex: Provisioned) -> None:
    own, other = acme.organization.id, globex.organization.id
    drain(platform.databases, message(own, "body"), message(own, "body"), kept := message(other, "body"))
    platform.delete(own)

    counts = platform.erase(own, now=PURGE)

    assert counts["dead_letters"] == {"objects": 0}
    assert counts["postgres"]["dead_letters"] == 0
    assert set(bodies()) == {f"{other}/{kept.letter.id}"}
    assert letters(platform.databases, own) == []


def unmarked(databases: Databases, organization_id: UUID) -> None:
    with databases.platform.tenant_transaction(organization_id) as conn:
        conn.execute("UPDATE dead_letters SET stored_at = NULL WHERE organization_id = %s", (organization_id,))


def test_object_without_a_mark_is_searched(databases: Databases, acme: Provisioned) -> None:
    """The drain may have died between the object and the mark.

    Then SQS delivers the message again.
    """
    own = acme.organization.id
    drain(databases, sent := message(own, frame(row(own, "phone"))))
    unmarked(databases, own)
    ask_erasure(databases, acme, "phone", NOW)

    run_jobs(databases, NOW + MINUTE)
    drain(databases, sent, now=NOW + 2 * MINUTE)

    assert bodies() == {}


def test_rewritten_object_without_a_mark_is_searched_again(databases: Databases, acme: Provisioned) -> None:
    """The message that comes again replaces the object by the one with the subject."""
    own = acme.organization.id
    drain(databases, sent := message(own, frame(row(own, "phone"), row(own, "tablet"))))
    unmarked(databases, own)
    ask_erasure(databases, acme, "phone", NOW)

    run_jobs(databases, NOW + MINUTE)
    drain(databases, sent, now=NOW + 2 * MINUTE)
    run_jobs(databases, NOW + timedelta(hours=2))

    assert devices_in_bodies() == [["tablet"]]
