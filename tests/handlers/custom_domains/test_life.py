"""Custom domains from the claim to the removal, with a real DNS server and AWS with states that a test sets."""

from datetime import timedelta

import pytest

from tenancy.rules.durations import (
    DOMAIN_EXECUTION_LOST_AFTER,
    DOMAIN_POLL_INTERVAL,
    DOMAIN_STAGE_TIME,
    REFUSED_DOMAIN_PAUSE,
)
from tenancy.use_cases.organizations.provision import Provisioned
from tests.handlers.custom_domains.life import DOMAIN, Life, request_of
from tests.handlers.requests import problem_of

RECORD = f"_tenancy-domain.{DOMAIN}"
NOTHING = (0, 0, 0, 0)
ONE_OF_EACH = (1, 1, 1, 1)
SECOND = timedelta(seconds=1)


def test_claim_shows_the_records_to_set(life: Life, acme: Provisioned) -> None:
    claimed = life.claim(acme, "DATA.ACME.Example.")

    ownership, routing = claimed["records"]
    assert (claimed["domain"], claimed["status"], claimed["problem"]) == (DOMAIN, "unverified", None)
    assert (ownership["type"], ownership["name"], ownership["found"]) == ("TXT", RECORD, None)
    assert ownership["value"].startswith("tenancy-domain=")
    assert (routing["type"], routing["name"]) == ("CNAME", DOMAIN)
    assert routing["value"].endswith(".domains.attribution.example")
    assert life.show(acme) == claimed
    assert life.call("list", acme).document["data"] == [claimed]


def test_second_claim_returns_the_first(life: Life, acme: Provisioned) -> None:
    assert life.claim(acme) == life.claim(acme)
    assert life.actions(acme) == ["claimed"]


def test_domain_becomes_active(life: Life, acme: Provisioned) -> None:
    life.set_records(life.claim(acme))

    verified = life.call("verify", acme).document
    entered = life.run()
    active = life.show(acme)

    assert (verified["status"], verified["problem"]["code"]) == ("verified", "certificate_pending")
    assert entered[-1] == "Active"
    assert (active["status"], active["problem"]) == ("active", None)
    assert [record["purpose"] for record in active["records"]] == ["ownership", "routing", "certificate"]
    assert all(record["found"] for record in active["records"])
    assert life.owner() == acme.organization.id
    assert life.actions(acme) == ["activated", "claimed", "verified"]


def test_active_domain_leads_to_the_stage(life: Life, acme: Provisioned) -> None:
    active = life.serve(acme)

    name, mapping = life.aws.domain_names[DOMAIN], life.aws.mappings[DOMAIN]["v1"]
    routing = active["records"][1]
    assert (mapping["restApiId"], mapping["stage"]) == ("a1b2c3d4e5", "v1")
    assert name["securityPolicy"] == "SecurityPolicy_TLS13_1_2_2021_06"
    assert name["tags"]["tenancy:organization"] == str(acme.organization.id)
    assert life.aws.records == {f"{routing['value']}.": name["regionalDomainName"]}


def test_records_are_looked_for_until_they_are_there(life: Life, acme: Provisioned) -> None:
    claimed = life.claim(acme)
    missing = life.call("verify", acme).document
    life.sweep()
    [start] = life.executions.inputs

    waiting = life.execute(start)
    life.set_records(claimed)
    entered = life.execute(start)

    assert (missing["status"], missing["problem"]["code"]) == ("unverified", "ownership_record_missing")
    assert waiting[-1] == "WaitForRecords"
    assert entered[-1] == "Active"


def test_unverified_claim_starts_no_work(life: Life, acme: Provisioned) -> None:
    life.set_records(life.claim(acme))

    assert life.sweep() == 0
    assert life.show(acme)["next_check_at"] is None


@pytest.mark.parametrize(
    ("kind", "values", "code"),
    [
        ("TXT", (), "ownership_record_missing"),
        ("TXT", ("v=spf1 -all", "tenancy-domain=other"), "ownership_record_differs"),
    ],
)
def test_wrong_records_are_told(life: Life, acme: Provisioned, kind: str, values: tuple[str, ...], code: str) -> None:
    life.set_records(life.claim(acme))
    life.names.put(RECORD, kind, *values)

    shown = life.call("verify", acme).document

    assert (shown["status"], shown["problem"]["code"]) == ("unverified", code)
    assert [record["found"] for record in shown["records"]] == [False, True]


def test_failing_name_server_is_told(life: Life, acme: Provisioned) -> None:
    life.claim(acme)
    life.names.failing.add(RECORD)

    assert life.call("verify", acme).document["problem"]["code"] == "no_dns_answer"


@pytest.mark.parametrize(
    ("values", "code"), [((), "routing_record_missing"), (("other.example",), "routing_record_differs")]
)
def test_domain_waits_for_its_cname_record(life: Life, acme: Provisioned, values: tuple[str, ...], code: str) -> None:
    claimed = life.claim(acme)
    life.set_records(claimed, "ownership")
    life.names.put(DOMAIN, "CNAME", *values)
    life.call("verify", acme)

    waiting = life.run()
    shown = life.show(acme)
    life.set_records(claimed)
    life.call("verify", acme)
    entered = life.run()

    assert waiting[-1] == "WaitForRouting"
    assert (shown["status"], shown["problem"]["code"]) == ("verified", code)
    assert life.aws.resources == ONE_OF_EACH
    assert entered[-1] == "Active"
    assert life.owner() == acme.organization.id


# ---------------------------------------------------------------------------------------------------------- certificate


def test_certificate_record_is_shown_while_it_is_pending(life: Life, acme: Provisioned) -> None:
    life.aws.set_status("PENDING_VALIDATION")
    life.set_records(life.claim(acme))
    life.call("verify", acme)

    waiting = life.run()
    shown = life.show(acme)
    life.aws.set_status("ISSUED")
    life.clock.advance(DOMAIN_POLL_INTERVAL + DOMAIN_EXECUTION_LOST_AFTER)
    entered = life.run()

    certificate = shown["records"][2]
    assert waiting[-1] == "WaitForAcm"
    assert (shown["status"], shown["problem"]["code"]) == ("verified", "certificate_pending")
    assert (certificate["type"], certificate["name"], certificate["found"]) == ("CNAME", f"_0c.{DOMAIN}", None)
    assert entered[-1] == "Active"
    assert life.aws.calls.count("RequestCertificate") == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("FAILED", "certificate_refused"),
        ("REVOKED", "certificate_refused"),
        ("VALIDATION_TIMED_OUT", "certificate_timed_out"),
    ],
)
def test_refused_certificate_is_requested_again(life: Life, acme: Provisioned, status: str, code: str) -> None:
    life.aws.set_status(status)
    life.set_records(life.claim(acme))
    life.call("verify", acme)
    entered = life.run()
    failed = life.show(acme)
    before = list(life.aws.certificates)

    life.aws.status = "ISSUED"
    life.clock.advance(REFUSED_DOMAIN_PAUSE)
    life.call("verify", acme)
    life.run()

    assert entered[-1] == "Failed"
    assert (failed["status"], failed["problem"]["code"], failed["next_check_at"] is None) == ("failed", code, False)
    assert life.show(acme)["status"] == "active"
    assert not set(before) & set(life.aws.certificates)
    assert life.aws.resources == ONE_OF_EACH


def test_deleted_certificate_fails(life: Life, acme: Provisioned) -> None:
    life.aws.set_status("PENDING_VALIDATION")
    life.set_records(life.claim(acme))
    life.call("verify", acme)
    life.run()
    claim = life.stored(acme)
    assert claim is not None

    life.aws.certificates.clear()
    task = {"task": "check_certificate", "execution": "x", "organization_id": str(acme.organization.id)}
    result = life.steps({**task, "claim_id": str(claim.id), "attempt": claim.attempt})

    assert result["outcome"] == "failed"
    assert life.show(acme)["problem"]["code"] == "certificate_refused"


@pytest.mark.parametrize(
    ("stage", "code"),
    [
        ("records", "records_timed_out"),
        ("certificate", "certificate_timed_out"),
        ("routing", "routing_timed_out"),
    ],
)
def test_stage_fails_after_its_time(life: Life, acme: Provisioned, stage: str, code: str) -> None:
    claimed = life.claim(acme)
    if stage != "records":
        life.set_records(claimed, "ownership")
    if stage == "certificate":
        life.aws.set_status("PENDING_VALIDATION")
    life.call("verify", acme)
    life.run()

    life.clock.advance(DOMAIN_STAGE_TIME - SECOND)
    before = life.run()
    life.clock.advance(DOMAIN_POLL_INTERVAL + DOMAIN_EXECUTION_LOST_AFTER)
    after = life.run()

    assert before[-1].startswith("WaitFor")
    assert after[-1] == "Failed"
    assert life.repeat_last_task()["outcome"] == "failed"
    assert life.show(acme)["problem"]["code"] == code
    assert life.owner() is None


# ------------------------------------------------------------------------------------------------- other organizations


def test_claim_does_not_block_the_owner(life: Life, acme: Provisioned, globex: Provisioned) -> None:
    squatted = life.claim(globex)
    life.call("verify", globex)
    life.run()

    life.serve(acme)

    assert life.show(globex)["status"] == "unverified"
    assert squatted["records"][0]["value"] != life.show(acme)["records"][0]["value"]
    assert life.owner() == acme.organization.id


def test_records_of_another_organization_prove_nothing(life: Life, acme: Provisioned, globex: Provisioned) -> None:
    life.set_records(life.claim(acme))
    life.claim(globex)

    shown = life.call("verify", globex).document

    assert (shown["status"], shown["problem"]["code"]) == ("unverified", "ownership_record_differs")


def test_proven_domain_is_taken(life: Life, acme: Provisioned, globex: Provisioned) -> None:
    life.serve(acme)
    life.set_records(life.claim(globex))
    request = request_of("verify", globex)

    problem_of(life.routes(request), request, 409, "domain_taken")

    assert life.owner() == acme.organization.id
    assert life.stored(globex).work_at is None  # type: ignore[union-attr]


def test_domain_that_is_taken_meanwhile_fails(life: Life, acme: Provisioned, globex: Provisioned) -> None:
    theirs = life.claim(globex)
    life.call("verify", globex)
    life.sweep()
    start = life.executions.inputs.pop()
    life.serve(acme)
    life.set_records(theirs)

    entered = life.execute(start)

    assert entered[-1] == "Failed"
    assert life.show(globex)["problem"]["code"] == "domain_taken"
    assert life.owner() == acme.organization.id


def test_removed_domain_moves_to_another_organization(life: Life, acme: Provisioned, globex: Provisioned) -> None:
    """The record of the former owner still leads to its own target, which is gone."""
    former = life.serve(acme)
    request = request_of("verify", globex)
    assert life.call("remove", acme).status == 204
    theirs = life.claim(globex)
    life.set_records(theirs, "ownership")

    assert (life.owner(), life.show(acme)["status"]) == (None, "removing")
    problem_of(life.routes(request), request, 409, "domain_taken")

    assert life.run()[-1] == "Released"
    assert life.aws.resources == NOTHING
    assert life.call("show", acme).status == 404

    waiting = life.call("verify", globex).document
    assert life.run()[-1] == "WaitForRouting"
    assert waiting["records"][1]["found"] is False
    assert waiting["records"][1]["value"] != former["records"][1]["value"]
    assert life.owner() is None

    life.set_records(theirs)
    life.call("verify", globex)
    life.run()
    assert life.owner() == globex.organization.id
    assert life.aws.domain_names[DOMAIN]["tags"]["tenancy:organization"] == str(globex.organization.id)


def test_removed_domain_needs_a_new_record(life: Life, acme: Provisioned) -> None:
    before = life.serve(acme)
    life.call("remove", acme)
    request = request_of("claim", acme)
    problem_of(life.routes(request), request, 409, "conflict")
    life.run()

    after = life.claim(acme)

    assert after["records"][0]["value"] != before["records"][0]["value"]
    assert life.call("verify", acme).document["problem"]["code"] == "ownership_record_differs"
    assert life.actions(acme) == ["activated", "claimed", "claimed", "removed", "verified"]


def test_claim_without_a_proof_is_removed_at_once(life: Life, acme: Provisioned) -> None:
    life.claim(acme)
    life.call("verify", acme)

    assert life.call("remove", acme).status == 204

    assert life.call("show", acme).status == 404
    assert (life.sweep(), life.aws.calls) == (0, [])


def test_removal_deletes_the_stored_certificate_first(life: Life, acme: Provisioned) -> None:
    """A list of all certificates of the account may take longer than the task has."""
    life.serve(acme)
    life.call("remove", acme)
    life.aws.calls.clear()

    life.run()

    calls = [each for each in life.aws.calls if each.endswith(("DeleteCertificate", "ListCertificates"))]
    assert calls == ["DeleteCertificate", "ListCertificates"]


def test_removal_can_be_repeated(life: Life, acme: Provisioned) -> None:
    life.serve(acme)

    assert [life.call("remove", acme).status for _ in range(2)] == [204, 204]

    request = request_of("verify", acme)
    problem_of(life.routes(request), request, 409, "conflict")
    assert life.actions(acme).count("removed") == 1


@pytest.mark.parametrize("case", ["show", "verify", "remove"])
def test_domain_of_another_organization_is_404(life: Life, acme: Provisioned, globex: Provisioned, case: str) -> None:
    life.serve(acme)
    request = request_of(case, globex)

    problem_of(life.routes(request), request, 404, "not_found")

    assert life.owner() == acme.organization.id


def test_domain_name_of_another_claim_is_left_alone(life: Life, acme: Provisioned) -> None:
    """No claim has it, as after a restored database."""
    life.serve(acme)
    life.aws.domain_names[DOMAIN]["tags"]["tenancy:claim"] = "other"
    life.call("remove", acme)

    with pytest.raises(Exception, match="UnavailableError"):
        life.run()

    assert DOMAIN in life.aws.domain_names
    assert life.show(acme)["status"] == "removing"


# ----------------------------------------------------------------------------------------------------------- executions


def test_lost_execution_is_started_again(life: Life, acme: Provisioned) -> None:
    life.set_records(life.claim(acme))
    life.call("verify", acme)
    life.sweep()
    lost = life.executions.inputs.pop()

    early = life.sweep()
    life.clock.advance(DOMAIN_EXECUTION_LOST_AFTER)
    entered = life.run()

    assert early == 0
    assert entered[-1] == "Active"
    assert life.execute(lost) == ["CheckRecords", "Outdated"]


def test_old_execution_makes_nothing_after_a_removal(life: Life, acme: Provisioned) -> None:
    life.aws.set_status("PENDING_VALIDATION")
    life.set_records(life.claim(acme))
    life.call("verify", acme)
    life.sweep()
    [old] = life.executions.inputs
    life.run()
    life.call("remove", acme)

    assert life.execute(old) == ["CheckRecords", "Outdated"]
    life.run()

    assert life.aws.resources == NOTHING


def test_verify_continues_the_work(life: Life, acme: Provisioned) -> None:
    claimed = life.claim(acme)
    life.call("verify", acme)
    life.run()
    life.set_records(claimed)

    shown = life.call("verify", acme).document

    assert shown["status"] == "verified"
    assert life.run()[-1] == "Active"
