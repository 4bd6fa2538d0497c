"""A data subject is found by name in every mapped column, and its name is stored nowhere."""

import json
import unicodedata
from typing import Literal

import msgspec
import pytest
from msgspec import to_builtins
from zstandard import compress

from tenancy.rules.erasures import SubjectKind, WrittenPeriod, hash_subject
from tenancy.rules.events.row import BatchContext
from tenancy.rules.events.segment import parse_segment_message
from tenancy.stores.clickhouse.platform.events import insert_frames
from tenancy.stores.clickhouse.platform.subjects import count_subject
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW
from tests.use_cases.privacy_jobs import ask_erasure, devices, run_jobs
from tests.use_cases.storing import count, load, store

# Composed, decomposed, and in between: e with circumflex and dot below, Hangul, Angstrom sign.
SPELLINGS = ("\u1ec7\uac01\u00c5", "e\u0323\u0302\u1100\u1161\u11a8A\u030a", "\u1eb9\u0302\uac00\u11a8\u212b")

# 120 characters when composed. As it is sent, it does not fit into a column.
LONG_NAME = unicodedata.normalize("NFD", "\ud55c\uad6d" * 60)


def store_calls(databases: Databases, provisioned: Provisioned, *calls: dict[str, object]) -> None:
    """Store calls of a Segment SDK, as ingest and load do."""
    reception = BatchContext(organization_id=provisioned.organization.id, received_at=NOW)
    common = {"type": "track", "event": "Signed Up", "timestamp": NOW.isoformat()}
    raws = [msgspec.json.encode({**common, "messageId": str(number), **call}) for number, call in enumerate(calls)]
    load(databases, [parse_segment_message(raw, reception) for raw in raws], written=NOW)


def test_user_is_found_in_every_mapped_column(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    for provisioned in (acme, globex):
        store_calls(
            databases,
            provisioned,
            {"userId": "ann"},
            {"userId": "ann", "anonymousId": "phone"},
            {"userId": "\u00e4nn", "anonymousId": "phone"},
            {"type": "alias", "previousId": "ann", "userId": "anna", "anonymousId": "phone"},
            {"userId": 42, "anonymousId": "phone"},
            {"anonymousId": "phone", "properties": {"user_id": "ann"}},
            {"anonymousId": "phone", "properties": {"friend": "ann", "note": '{"userId": "ann"}'}},
            {"userId": "ann2", "anonymousId": "phone"},
        )
        store(
            databases, provisioned.organization.id, [100], at=NOW, device_id="phone", user_properties={"user_id": "ann"}
        )

    for name, left in (("ann", 4), ("\u00e4nn", 3), ("42", 2)):
        ask_erasure(databases, acme, name, NOW, SubjectKind.USER_ID)
        run_jobs(databases, NOW)
        assert count(databases, acme.organization.id) == left

    assert count(databases, globex.organization.id) == 9


@pytest.mark.parametrize("member", ["context", "anonymousId", "userId"])
def test_long_device_is_found_in_every_spelling(databases: Databases, acme: Provisioned, member: str) -> None:
    """A device id is cut to 255 characters as it was sent."""
    composed = "\u00e9" * 200
    for spelling in (composed, unicodedata.normalize("NFD", composed)):
        store_calls(databases, acme, {member: {"device": {"id": spelling}} if member == "context" else spelling})
    ask_erasure(databases, acme, composed, NOW)

    run_jobs(databases, NOW)

    assert count(databases, acme.organization.id) == 0


def test_user_erasure_keeps_a_device_of_the_same_name(databases: Databases, acme: Provisioned) -> None:
    store(databases, acme.organization.id, range(10), at=NOW, device_id="42")
    store_calls(databases, acme, {"userId": 42, "anonymousId": "phone"})
    ask_erasure(databases, acme, "42", NOW, SubjectKind.USER_ID)

    run_jobs(databases, NOW)

    assert devices(databases, acme) == {"42"}
    assert count(databases, acme.organization.id) == 10


def test_unreadable_numbers_do_not_hide_a_name(databases: Databases, acme: Provisioned) -> None:
    raw = b'{"type": "track", "userId": "ann", "anonymousId": "a", "total": 123456789012345678901, "rate": 1e400}'
    row = parse_segment_message(raw, BatchContext(organization_id=acme.organization.id, received_at=NOW))
    load(databases, [row], written=NOW)
    ask_erasure(databases, acme, "ann", NOW, SubjectKind.USER_ID)

    run_jobs(databases, NOW)

    assert count(databases, acme.organization.id) == 0


def test_rows_without_name_columns_are_found(databases: Databases, acme: Provisioned) -> None:
    call = b'{"type": "track", "userId": 42, "anonymousId": "browser", "context": {"device": {"id": "phone"}}}'
    reception = BatchContext(organization_id=acme.organization.id, received_at=NOW)
    rows = []
    for number in range(3):
        row = to_builtins(parse_segment_message(call[:-1] + b', "messageId": "%d"}' % number, reception))
        rows.append(json.dumps({name: row[name] for name in row.keys() - {"device_names", "user_names"}}))
    frame = compress("\n".join(rows).encode())
    insert_frames(databases.clickhouse, "events", [frame], token="frame")

    for kind, name in ((SubjectKind.DEVICE_ID, "browser"), (SubjectKind.USER_ID, "42")):
        subject = hash_subject(kind, name)
        found = count_subject(databases.clickhouse, acme.organization.id, subject, WrittenPeriod(), through=NOW)
        assert found == (3, 0)


def test_device_is_found_by_its_anonymous_id(databases: Databases, acme: Provisioned) -> None:
    store_calls(
        databases,
        acme,
        {"anonymousId": "browser"},
        {"anonymousId": "browser", "context": {"device": {"id": "phone"}}},
        {"userId": "browser", "anonymousId": "other"},
        {"type": "alias", "previousId": "browser", "userId": "ann"},
    )
    ask_erasure(databases, acme, "browser", NOW)

    run_jobs(databases, NOW)

    assert devices(databases, acme) == {"other"}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("kind", SubjectKind)
def test_every_spelling_of_a_subject_is_erased(
    databases: Databases, acme: Provisioned, globex: Provisioned, kind: SubjectKind, form: Literal["NFC", "NFD"]
) -> None:
    for provisioned in (acme, globex):
        for spelling in SPELLINGS:
            store_calls(
                databases,
                provisioned,
                {"anonymousId": spelling, "userId": spelling, "context": {"device": {"id": f"phone {len(spelling)}"}}},
            )
            store(databases, provisioned.organization.id, [100 + len(spelling)], at=NOW, device_id=spelling)
    ask_erasure(databases, acme, unicodedata.normalize(form, SPELLINGS[0]), NOW, kind)

    run_jobs(databases, NOW)

    assert count(databases, acme.organization.id) == (0 if kind is SubjectKind.DEVICE_ID else len(SPELLINGS))
    assert count(databases, globex.organization.id) == 2 * len(SPELLINGS)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_long_device_id_is_erased_in_every_spelling(
    databases: Databases, acme: Provisioned, form: Literal["NFC", "NFD"]
) -> None:
    store_calls(
        databases,
        acme,
        {"context": {"device": {"id": LONG_NAME}}},
        {"anonymousId": LONG_NAME},
        {"userId": LONG_NAME},
        {"anonymousId": "phone"},
    )
    ask_erasure(databases, acme, unicodedata.normalize(form, LONG_NAME), NOW)

    run_jobs(databases, NOW)

    assert devices(databases, acme) == {"phone"}


def test_another_letter_is_another_subject(databases: Databases, acme: Provisioned) -> None:
    store(databases, acme.organization.id, [1], at=NOW, device_id="\ufb01")
    ask_erasure(databases, acme, "fi", NOW)

    run_jobs(databases, NOW)

    assert devices(databases, acme) == {"\ufb01"}


@pytest.mark.parametrize("name", ["' OR 1 = 1 --", "%", "\\", "{organization_id:UUID}", "\u2028\U0001f600", "x" * 255])
def test_subject_name_is_treated_as_a_value(databases: Databases, acme: Provisioned, name: str) -> None:
    store(databases, acme.organization.id, range(10), at=NOW)
    store(databases, acme.organization.id, [10], at=NOW, device_id=name)
    ask_erasure(databases, acme, name, NOW)

    run_jobs(databases, NOW)

    assert count(databases, acme.organization.id) == 10


def test_subject_name_is_stored_and_logged_nowhere(
    databases: Databases, acme: Provisioned, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "0f1e2d3c-the-name-of-ann"
    store(databases, acme.organization.id, [1], at=NOW, device_id=name)

    ask_erasure(databases, acme, name, NOW)

    assert "the-name-of-ann" not in dump_postgres(databases)

    run_jobs(databases, NOW)
    assert "the-name-of-ann" not in dump_postgres(databases)

    mutations = databases.clickhouse.query(
        "SELECT command FROM system.mutations WHERE database = currentDatabase()"
    ).result_rows
    assert mutations
    assert "the-name-of-ann" not in json.dumps([list(row) for row in mutations])

    printed = capsys.readouterr()
    assert "the-name-of-ann" not in printed.out + printed.err


def dump_postgres(databases: Databases) -> str:
    with superuser(databases) as conn:
        tables = [name for (name,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        return str([conn.execute(f"SELECT t::text FROM {table} AS t").fetchall() for table in tables])
