"""Commands of several requests: following, redriving, verifying a long chain, and waiting for an erasure."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from scripts.openapi.report_examples import find_report_examples
from tests.tenantctl.documents import ACME_ID, TIME, organization, page
from tests.tenantctl.processes import Tenantctl
from tests.tenantctl.served_api import Served, ServedApi

STEP = {
    "valid": True,
    "broken": None,
    "first_sequence": 1,
    "last_sequence": 5,
    "last_seal": "a" * 64,
    "is_complete": True,
    "unsealed": 0,
    "checkpoint": None,
}
OWN_REPORT = "/organizations/{organization_id}/compliance/report"
NOT_ERASED = Served.refusal(404, "not_found", "There is no such certificate.")
CERTIFICATE = {"certificate": {"organization_id": ACME_ID, "counts": {}}, "is_valid": True, "signing_key": "key"}


def event(number: int) -> dict[str, object]:
    return {"event_id": f"e-{number}", "device_id": "d", "event_timestamp": TIME}


def deleted(seconds: float) -> Served:
    purge_at = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    return Served(document=organization(status="deleted", deleted_at=TIME, purge_at=purge_at))


def test_followed_list_shows_each_row_once(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(
        Served(document=page(event(2), event(1))),
        Served(document=page(event(3), event(2), event(1))),
        Served(document=page(event(4), event(3), event(2))),
        Served.refusal(403, "forbidden"),
    )

    done = tenantctl.run("events", "tail", "--follow", "--interval", "1", "--json")

    assert [line.split('"')[3] for line in done.out.splitlines()] == ["e-1", "e-2", "e-3", "e-4"]
    assert done.code == 3


def test_interrupted_following_has_its_exit_code(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=page(event(1))))

    done = tenantctl.run_in_shell("timeout --preserve-status -s INT 3 tenantctl events tail --follow --json")

    assert (done.code, done.err, len(done.out.splitlines())) == (130, "", 1)


def test_tail_asks_for_no_more_rows_than_it_shows(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=page(*[event(1)] * 100, cursor="next")), Served(document=page(*[event(2)] * 50)))

    tenantctl.run("events", "tail", "--limit", "150", "--json")

    assert [each.path for each in api.received] == ["/v1/events?limit=100", "/v1/events?limit=50&cursor=next"]


def test_redrive_is_repeated_until_none_is_waiting(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(*(Served(document=each) for each in ({"redriven": 500, "waiting": 3}, {"redriven": 3, "waiting": 0})))

    done = tenantctl.run("dead-letters", "redrive", ACME_ID, "--json")

    assert (done.document, len(api.received)) == ({"redriven": 503, "waiting": 0}, 2)


def test_redrive_that_sends_nothing_ends(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document={"redriven": 0, "waiting": 3}))

    done = tenantctl.run("dead-letters", "redrive", ACME_ID, "--json")

    assert (done.document, len(api.received)) == ({"redriven": 0, "waiting": 3}, 1)


def test_long_chain_is_verified_in_steps(tenantctl: Tenantctl, api: ServedApi) -> None:
    first = {**STEP, "is_complete": False}
    second = {**STEP, "first_sequence": 6, "last_sequence": 9, "last_seal": "b" * 64}
    api.answer(Served(document=first), Served(document=second))

    done = tenantctl.run("audit", "verify", ACME_ID, "--json")

    assert (done.code, done.document) == (0, {**second, "first_sequence": 1})
    assert api.received[1].path.endswith(f"?after_sequence=5&after_seal={'a' * 64}")


def test_broken_chain_has_its_own_exit_code(tenantctl: Tenantctl, api: ServedApi) -> None:
    broken = {"sequence": 3, "reason": "changed"}
    api.answer(Served(document={**STEP, "valid": False, "is_complete": False, "broken": broken}))

    done = tenantctl.run("audit", "verify", ACME_ID)

    assert (done.code, "broken at entry 3: changed" in done.err) == (1, True)


def test_report_names_unprotected_tables_and_unknown_settings(tenantctl: Tenantctl, api: ServedApi) -> None:
    own, platform = (find_report_examples(path)["application/json"] for path in (OWN_REPORT, "/compliance/report"))
    own["row_level_security"]["unprotected"] = ["apps"]
    own["access"] |= {"is_complete": False, "entries_since": "2025-11-24T00:00:00Z"}
    api.answer(Served(document=own), Served(document=platform), Served(document=platform))

    shown = tenantctl.run("compliance", "show", ACME_ID)
    reported = tenantctl.run("compliance", "report", "--from", "2026-11-01")
    as_json = tenantctl.run("compliance", "report", "--json")

    assert (shown.code, reported.code, as_json.document) == (0, 0, platform)
    assert re.search(r"unprotected tables +apps", shown.out)
    assert "Retention has deleted entries of audit logs before 2025-11-24T00:00:00Z." in shown.out
    assert "not_known" in reported.out
    assert api.received[1].path.endswith("/compliance/report?from=2026-11-01")


@pytest.mark.parametrize("command", ["show", "restore"])
def test_suspended_organization_is_restored_by_its_status(tenantctl: Tenantctl, api: ServedApi, command: str) -> None:
    api.answer(Served(document=organization(status="suspended")), Served(document=organization()))

    tenantctl.run("orgs", command, ACME_ID)

    changes = [(each.method, each.body) for each in api.received if each.method != "GET"]
    assert changes == ([("PATCH", {"status": "active"})] if command == "restore" else [])


def test_active_organization_is_not_restored(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=organization()))

    done = tenantctl.run("orgs", "restore", ACME_ID)

    assert (done.code, "Only a suspended or a deleted one" in done.err) == (5, True)
    assert {each.method for each in api.received} == {"GET"}


def test_wait_counts_down_to_the_certificate(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(NOT_ERASED, deleted(2.9), Served(document=CERTIFICATE))

    done = tenantctl.run_on_terminal("certificate", "show", ACME_ID, "--wait")

    assert done.code == 0
    assert [f"begins in {seconds} s" in done.out for seconds in (2, 1)] == [True, True]


def test_wait_ends_if_the_organization_is_restored(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(NOT_ERASED, Served(document=organization()))

    done = tenantctl.run("certificate", "show", ACME_ID, "--wait")

    assert (done.code, "is active, and will not be erased" in done.err) == (5, True)


def test_wait_ends_if_the_erasure_does_not(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(NOT_ERASED, deleted(-4_000))

    done = tenantctl.run("certificate", "show", ACME_ID, "--wait")

    assert (done.code, "docs/operations.md" in done.err) == (9, True)
