"""Calls of AWS that are refused for good, the budget of certificates, and stages at their deadline."""

from datetime import timedelta

import pytest

from tenancy.rules.custom_domains import MAX_CERTIFICATE_REQUESTS
from tenancy.rules.durations import (
    CERTIFICATE_REQUESTS_PERIOD,
    DOMAIN_EXECUTION_LOST_AFTER,
    DOMAIN_STAGE_TIME,
    REFUSED_DOMAIN_PAUSE,
)
from tenancy.use_cases.organizations.provision import Provisioned
from tests.handlers.custom_domains.life import DOMAIN, Life, request_of
from tests.handlers.requests import problem_of

CREATE = "POST /domainnames"
REQUEST = "RequestCertificate"
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
NOTHING = (0, 0, 0, 0)


def prove(life: Life, provisioned: Provisioned, domain: str = DOMAIN) -> None:
    """Claim *domain*, set its TXT record, and verify it."""
    life.set_records(life.claim(provisioned, domain), "ownership")
    assert life.call("verify", provisioned, domain).status == 200


def refusal_of(life: Life, provisioned: Provisioned, domain: str = DOMAIN) -> str:
    """Return the text of the refused verify."""
    request = request_of("verify", provisioned, domain)
    return str(problem_of(life.routes(request), request, 409, "conflict")["detail"])


def cycle(life: Life, provisioned: Provisioned) -> None:
    """Get a certificate for a new claim, and remove the claim with it."""
    prove(life, provisioned)
    life.run()
    life.call("remove", provisioned)
    life.run()
    life.clock.advance(MINUTE)


def use_budget(life: Life, provisioned: Provisioned) -> None:
    for _ in range(MAX_CERTIFICATE_REQUESTS):
        cycle(life, provisioned)
    assert life.aws.calls.count(REQUEST) == MAX_CERTIFICATE_REQUESTS


# --------------------------------------------------------------------------------------------------------------- budget


def test_budget_of_certificates_outlives_the_claims(life: Life, acme: Provisioned, globex: Provisioned) -> None:
    start = life.now
    use_budget(life, acme)
    life.set_records(life.claim(acme), "ownership")

    text = refusal_of(life, acme)
    life.run()
    refused = (life.aws.calls.count(REQUEST), life.aws.resources)
    prove(life, globex, "data.globex.example")
    life.run()

    free_at = start + CERTIFICATE_REQUESTS_PERIOD
    assert "20 certificates for custom domains in 30 days." in text
    assert text.endswith(f"again after {free_at:%Y-%m-%dT%H:%M:%SZ}.")
    assert refused == (MAX_CERTIFICATE_REQUESTS, NOTHING)
    assert life.aws.calls.count(REQUEST) == MAX_CERTIFICATE_REQUESTS + 1


def test_budget_comes_back_after_its_period(life: Life, acme: Provisioned) -> None:
    start = life.now
    use_budget(life, acme)
    life.set_records(life.claim(acme))
    life.clock.advance(start + CERTIFICATE_REQUESTS_PERIOD - life.now)

    assert life.call("verify", acme).status == 200
    assert life.run()[-1] == "Active"


def test_waiting_claim_fails_over_the_budget(life: Life, acme: Provisioned) -> None:
    """Its verify was before the last request."""
    waiting = life.claim(acme, "other.acme.example")
    life.call("verify", acme, "other.acme.example")
    life.run()
    use_budget(life, acme)
    life.set_records(waiting)
    life.clock.advance(DOMAIN_EXECUTION_LOST_AFTER)

    entered = life.run()

    shown = life.show(acme, "other.acme.example")
    assert entered[-1] == "Failed"
    assert (shown["status"], shown["problem"]["code"]) == ("failed", "certificate_limit")
    assert life.aws.calls.count(REQUEST) == MAX_CERTIFICATE_REQUESTS


def test_repeated_task_spends_one_request(life: Life, acme: Provisioned) -> None:
    """Each try dies after the request was counted."""
    prove(life, acme)
    life.aws.refusals[REQUEST] = "ThrottlingException"
    with pytest.raises(Exception, match="UnavailableError"):
        life.run(deaths=MAX_CERTIFICATE_REQUESTS + 5)
    life.aws.refusals.clear()

    result = life.repeat_last_task()

    assert (result["outcome"], life.aws.resources) == ("done", (1, 0, 0, 0))


def test_pause_follows_a_refused_certificate(life: Life, acme: Provisioned) -> None:
    life.aws.set_status("FAILED")
    prove(life, acme)
    life.run()

    first = refusal_of(life, acme)
    life.clock.advance(REFUSED_DOMAIN_PAUSE)
    life.call("verify", acme)
    life.run()
    life.clock.advance(2 * REFUSED_DOMAIN_PAUSE - SECOND)
    second = refusal_of(life, acme)
    life.clock.advance(SECOND)

    assert first.startswith("Amazon refused the domain. Verify it again after 20")
    assert second.startswith("Amazon refused the domain.")
    assert life.call("verify", acme).status == 200
    assert life.aws.calls.count(REQUEST) == 2


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("code", ["BadRequestException", "ConflictException"])
def test_name_of_another_account_fails_at_once(life: Life, acme: Provisioned, code: str) -> None:
    life.aws.refusals[CREATE] = code
    prove(life, acme)

    entered = life.run()
    shown = life.show(acme)

    assert entered[-1] == "Failed"  # the execution succeeds, so that no alarm fires
    assert (shown["status"], shown["problem"]["code"]) == ("failed", "attachment_refused")
    assert shown["records"][2]["found"] is True
    assert life.repeat_last_task()["outcome"] == "failed"
    assert refusal_of(life, acme).startswith("Amazon refused the domain.")


def test_domain_is_attached_after_the_refusal_ends(life: Life, acme: Provisioned) -> None:
    life.aws.refusals[CREATE] = "BadRequestException"
    claimed = life.claim(acme)
    life.set_records(claimed)
    life.call("verify", acme)
    life.run()
    life.aws.refusals.clear()
    life.clock.advance(REFUSED_DOMAIN_PAUSE)

    life.call("verify", acme)

    assert life.run()[-1] == "Active"
    assert life.aws.calls.count(REQUEST) == 1


@pytest.mark.parametrize("call", [CREATE, REQUEST])
def test_quota_of_the_account_fails_the_execution(life: Life, acme: Provisioned, call: str) -> None:
    life.aws.refusals[call] = "LimitExceededException"
    prove(life, acme)

    entered = life.run()
    shown = life.show(acme)

    assert entered[-1] == "NoCapacity"  # a Fail state: CustomDomainAlarm fires
    assert (shown["status"], shown["problem"]["code"]) == ("failed", "no_capacity")
    assert life.repeat_last_task()["outcome"] == "no_capacity"


@pytest.mark.parametrize("call", [CREATE, REQUEST])
def test_service_that_fails_for_days_ends_the_stage(life: Life, acme: Provisioned, call: str) -> None:
    life.aws.refusals[call] = "TooManyRequestsException"
    prove(life, acme)
    with pytest.raises(Exception, match="UnavailableError"):
        life.run()
    pending = life.show(acme)["problem"]["code"]
    before = life.aws.calls.count(call)

    life.clock.advance(DOMAIN_STAGE_TIME)
    entered = life.run()

    assert pending == ("attachment_pending" if call == CREATE else "certificate_pending")
    assert entered[-1] == "Failed"
    assert life.show(acme)["problem"]["code"] == "set_up_timed_out"
    assert (life.aws.calls.count(call), life.sweep()) == (before, 0)


def test_name_that_leads_to_another_api_is_not_active(life: Life, acme: Provisioned) -> None:
    """As after the stack was made again under its name, or PostgreSQL was restored."""
    life.set_records(life.claim(acme))
    life.call("verify", acme)
    life.aws.refusals["POST /domainnames/data.acme.example/basepathmappings"] = "ConflictException"
    life.aws.mappings[DOMAIN] = {"v1": {"basePath": "v1", "restApiId": "other", "stage": "v1"}}

    with pytest.raises(Exception, match="UnavailableError"):
        life.run()

    assert life.show(acme)["problem"]["code"] == "attachment_pending"
    assert life.owner() is None


# ------------------------------------------------------------------------------------------------------------ deadlines


@pytest.mark.parametrize(
    "task", ["check_records", "request_certificate", "check_certificate", "attach_domain", "check_routing"]
)
def test_task_that_runs_twice_at_its_deadline_fails_twice(life: Life, acme: Provisioned, task: str) -> None:
    claimed = life.claim(acme)
    if task != "check_records":
        life.set_records(claimed, "ownership")
    life.call("verify", acme)
    if task == "check_certificate":
        life.aws.set_status("PENDING_VALIDATION")
    if task in {"request_certificate", "attach_domain"}:
        life.aws.refusals[REQUEST if task == "request_certificate" else CREATE] = "TooManyRequestsException"
        with pytest.raises(Exception, match="UnavailableError"):
            life.run()
    else:
        life.run()
    life.aws.refusals.clear()
    life.clock.advance(DOMAIN_STAGE_TIME)
    before = life.aws.resources

    life.run()
    assert life.last_task["task"] == task
    failed = life.stored(acme)
    again = life.repeat_last_task()

    assert again["outcome"] == "failed"
    assert failed is not None
    assert (failed.status, failed.deadline_at, failed.work_at) == ("failed", None, None)
    assert (life.stored(acme), life.aws.resources) == (failed, before)
