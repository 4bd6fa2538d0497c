"""Weekly checks of proven custom domains, withdrawals, downgrades and the erasure of an organization."""

from datetime import timedelta
from typing import Any

import pytest

from tenancy.rules.durations import DOMAIN_CHECK_INTERVAL, DOMAIN_RECHECK_INTERVAL, MISSING_PROOF_TIME
from tenancy.rules.mails import render_mail
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.fetch import Fetcher
from tenancy.use_cases.domains.release_custom_domain import count_resources, erase_custom_domains
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.check_custom_domains import check_custom_domains
from tenancy.use_cases.schedule.check_domains import DomainChecks
from tests.given import REGION
from tests.handlers.custom_domains.life import DOMAIN, Life
from tests.handlers.functions import superuser

RECORD = f"_tenancy-domain.{DOMAIN}"
SECOND = timedelta(seconds=1)
NOTHING = (0, 0, 0, 0)
END_ENTITLEMENT = "UPDATE organizations SET overrides = '{}'"
GIVE_ENTITLEMENT = "UPDATE organizations SET overrides = '{\"white_label\": true}'"


def check(life: Life, after: timedelta = timedelta()) -> DomainChecks:
    life.clock.advance(after)
    aws = AwsClient("lambda", REGION, life.aws.url)
    checks = check_custom_domains(
        life.databases.platform,
        Fetcher(aws, "fetch"),
        lambda: life.steps.app.stores.certificates,
        now=life.now,
        has_time=lambda: True,
    )
    aws.close()
    return checks


def mails(life: Life) -> list[tuple[str, str, str]]:
    """Return kind, address and text of each mail about a custom domain."""
    with superuser(life.databases) as conn:
        rows = conn.execute("SELECT kind, payload FROM outbox WHERE kind LIKE 'custom_domain%' ORDER BY id").fetchall()
    rendered = [(kind, render_mail(kind, payload)) for kind, payload in rows]
    return [(kind, mail.to, mail.text) for kind, mail in rendered]


def execute(life: Life, statement: str, *values: Any) -> None:  # noqa: ANN401
    with superuser(life.databases) as conn:
        conn.execute(statement.encode(), values)


def record_of(shown: dict[str, Any], purpose: str) -> dict[str, Any]:
    record: dict[str, Any]
    [record] = [each for each in shown["records"] if each["purpose"] == purpose]
    return record


def found_of(shown: dict[str, Any], purpose: str) -> bool | None:
    found: bool | None = record_of(shown, purpose)["found"]
    return found


def test_proof_is_checked_each_week(life: Life, acme: Provisioned) -> None:
    life.serve(acme)

    early = check(life, DOMAIN_CHECK_INTERVAL - SECOND)
    due = check(life, SECOND)
    again = check(life)

    assert (early.checked, due.checked, again.checked) == (0, 1, 0)
    assert (due.missing, due.withdrawn, due.failures, mails(life)) == (0, 0, [], [])


def test_missing_proof_is_withdrawn_after_mails(life: Life, acme: Provisioned) -> None:
    life.serve(acme)
    life.names.put(RECORD, "TXT")

    missed = check(life, DOMAIN_CHECK_INTERVAL)
    warned = life.show(acme)
    before = check(life, MISSING_PROOF_TIME - SECOND)
    owner_before = life.owner()
    after = check(life, SECOND)
    withdrawing = life.show(acme)
    entered = life.run()

    assert (missed.missing, before.withdrawn, after.withdrawn) == (1, 0, 1)
    assert (warned["status"], warned["problem"]["code"]) == ("active", "ownership_record_missing")
    assert warned["missing_since"] is not None
    assert owner_before == acme.organization.id
    assert (life.owner(), withdrawing["status"], entered[-1]) == (None, "withdrawing", "Released")
    assert [kind for kind, _, _ in mails(life)] == ["custom_domain_missing_mail", "custom_domain_withdrawn_mail"]
    assert life.aws.resources == NOTHING
    assert (life.show(acme)["status"], life.show(acme)["verified_at"]) == ("unverified", None)


def test_withdrawn_domain_comes_back_with_its_record(life: Life, acme: Provisioned) -> None:
    active = life.serve(acme)
    life.names.put(RECORD, "TXT")
    check(life, DOMAIN_CHECK_INTERVAL)
    check(life, MISSING_PROOF_TIME)
    life.run()

    life.set_records(active)
    life.call("verify", acme)
    life.run()

    assert life.owner() == acme.organization.id
    assert life.aws.resources == (1, 1, 1, 1)


def test_withdrawn_domain_moves_to_its_new_owner(life: Life, acme: Provisioned, globex: Provisioned) -> None:
    life.serve(acme)
    life.set_records(life.claim(globex))  # the new owner of the domain replaces both records
    check(life, DOMAIN_CHECK_INTERVAL)
    check(life, MISSING_PROOF_TIME)
    life.run()

    life.call("verify", globex)
    life.run()

    assert life.owner() == globex.organization.id
    assert life.show(acme)["status"] == "unverified"


def test_record_that_is_back_ends_the_warning(life: Life, acme: Provisioned) -> None:
    active = life.serve(acme)
    life.names.put(RECORD, "TXT", "other")
    check(life, DOMAIN_CHECK_INTERVAL)
    life.set_records(active)

    found = check(life, DOMAIN_RECHECK_INTERVAL)

    assert (found.checked, found.missing) == (1, 0)
    assert (life.show(acme)["missing_since"], life.show(acme)["problem"]) == (None, None)


def test_verify_ends_the_warning_at_once(life: Life, acme: Provisioned) -> None:
    active = life.serve(acme)
    life.names.put(RECORD, "TXT", "other")
    check(life, DOMAIN_CHECK_INTERVAL)
    life.set_records(active)

    shown = life.call("verify", acme).document

    assert (shown["status"], shown["missing_since"], shown["problem"]) == ("active", None, None)
    assert life.sweep() == 0


@pytest.mark.parametrize("has_certificate", [True, False])
def test_verify_in_a_loop_does_not_put_off_the_withdrawal(
    life: Life,
    acme: Provisioned,
    monkeypatch: pytest.MonkeyPatch,
    has_certificate: bool,  # noqa: FBT001
) -> None:
    """Each check meets a verify between its look at the record and the transaction that stores the result."""
    life.aws.set_status("ISSUED" if has_certificate else "PENDING_VALIDATION")
    life.set_records(life.claim(acme))
    life.call("verify", acme)
    life.run()
    life.names.put(RECORD, "TXT")
    find_records = Fetcher.find_txt_records

    def find_slowly(fetcher: Fetcher, name: str) -> tuple[str, ...]:
        found = find_records(fetcher, name)
        life.clock.advance(SECOND)
        with monkeypatch.context() as at_once:
            at_once.setattr(Fetcher, "find_txt_records", find_records)
            assert life.call("verify", acme).status == 200
        return found

    monkeypatch.setattr(Fetcher, "find_txt_records", find_slowly)
    missed = check(life, DOMAIN_CHECK_INTERVAL)
    after = check(life, MISSING_PROOF_TIME)

    assert (missed.missing, after.withdrawn) == (1, 1)
    assert life.owner() is None
    assert life.show(acme)["status"] == "withdrawing"


def test_silent_name_servers_withdraw_nothing(life: Life, acme: Provisioned) -> None:
    life.serve(acme)
    life.names.failing.add(RECORD)

    check(life, DOMAIN_CHECK_INTERVAL)
    later = [check(life, DOMAIN_RECHECK_INTERVAL) for _ in range(7)]

    assert [each.withdrawn for each in later] == [0] * 7
    assert (life.owner(), mails(life)) == (acme.organization.id, [])


def test_downgrade_withdraws_the_domain_after_mails(life: Life, acme: Provisioned) -> None:
    life.serve(acme)
    execute(life, END_ENTITLEMENT)

    check(life, DOMAIN_CHECK_INTERVAL)
    warned, owner = life.show(acme), life.owner()
    check(life, MISSING_PROOF_TIME)
    life.run()

    assert (warned["problem"]["code"], owner) == ("not_in_tier", acme.organization.id)
    assert (life.owner(), life.aws.resources) == (None, NOTHING)
    assert all("tier" in text for _, _, text in mails(life))


def test_upgrade_within_the_grace_keeps_the_domain(life: Life, acme: Provisioned) -> None:
    life.serve(acme)
    execute(life, END_ENTITLEMENT)
    check(life, DOMAIN_CHECK_INTERVAL)
    execute(life, GIVE_ENTITLEMENT)

    check(life, DOMAIN_RECHECK_INTERVAL)
    last = check(life, MISSING_PROOF_TIME)

    assert (last.withdrawn, life.owner()) == (0, acme.organization.id)


def test_domain_whose_certificate_failed_is_checked_as_well(life: Life, acme: Provisioned) -> None:
    life.aws.set_status("FAILED")
    life.set_records(life.claim(acme))
    life.call("verify", acme)
    life.run()
    life.names.put(RECORD, "TXT")

    check(life, DOMAIN_CHECK_INTERVAL)
    check(life, MISSING_PROOF_TIME)
    life.run()

    assert (life.show(acme)["status"], life.aws.resources) == ("unverified", NOTHING)


def test_deleted_organization_keeps_its_domain_until_the_erasure(life: Life, acme: Provisioned) -> None:
    life.serve(acme)
    life.names.put(RECORD, "TXT")
    execute(life, "UPDATE organizations SET status = 'deleted', deleted_at = now(), purge_at = now()")

    assert check(life, DOMAIN_CHECK_INTERVAL + MISSING_PROOF_TIME).checked == 0
    assert (life.sweep(), life.owner()) == (0, acme.organization.id)


# ---------------------------------------------------------------------------------------------------------- certificate


@pytest.mark.parametrize(("status", "days"), [("PENDING_VALIDATION", 45), ("FAILED", 45), (None, 29)])
def test_certificate_that_is_not_renewed_is_told(life: Life, acme: Provisioned, status: str | None, days: int) -> None:
    life.serve(acme)
    life.aws.stop_renewal(status, life.now + DOMAIN_CHECK_INTERVAL + timedelta(days=days))

    for after in (DOMAIN_CHECK_INTERVAL, DOMAIN_RECHECK_INTERVAL):
        check(life, after)
    warned = life.show(acme)
    life.aws.stop_renewal("SUCCESS", life.now + timedelta(days=198))
    check(life, DOMAIN_RECHECK_INTERVAL)
    renewed = life.show(acme)

    [mail] = [text for kind, _, text in mails(life) if kind == "custom_domain_certificate_mail"]
    assert (warned["status"], warned["problem"]["code"]) == ("active", "certificate_expiring")
    assert found_of(warned, "certificate") is False
    assert f"{record_of(warned, 'certificate')['name']} CNAME _x.acm-validations.aws" in mail
    assert (renewed["problem"], found_of(renewed, "certificate")) == (None, True)


@pytest.mark.parametrize(("status", "days"), [("PENDING_AUTO_RENEWAL", 50), ("SUCCESS", 198), (None, 198)])
def test_certificate_that_is_renewed_is_no_problem(
    life: Life, acme: Provisioned, status: str | None, days: int
) -> None:
    life.serve(acme)
    life.aws.stop_renewal(status, life.now + DOMAIN_CHECK_INTERVAL + timedelta(days=days))

    check(life, DOMAIN_CHECK_INTERVAL)

    assert (life.show(acme)["problem"], mails(life)) == (None, [])


def test_certificate_that_is_gone_is_told(life: Life, acme: Provisioned) -> None:
    life.serve(acme)
    life.aws.certificates.clear()

    check(life, DOMAIN_CHECK_INTERVAL)

    assert life.show(acme)["problem"]["code"] == "certificate_expiring"


def test_proof_is_checked_without_acm(life: Life, acme: Provisioned) -> None:
    life.serve(acme)
    life.names.put(RECORD, "TXT")
    life.aws.failing.add(len(life.aws.calls) + 1)

    checks = check(life, DOMAIN_CHECK_INTERVAL)

    assert (checks.missing, len(checks.failures)) == (1, 1)
    assert life.show(acme)["problem"]["code"] == "ownership_record_missing"


# -------------------------------------------------------------------------------------------------------------- erasure


def test_erasure_removes_the_resources_of_all_domains(life: Life, acme: Provisioned, globex: Provisioned) -> None:
    life.serve(acme)
    life.serve(acme, "api.acme.example")
    life.serve(globex, "data.globex.example")
    life.claim(acme, "other.acme.example")
    stores, organization_id = life.steps.app.stores, acme.organization.id

    for _ in range(2):
        erase_custom_domains(stores, organization_id, now=life.now)

    assert list(life.aws.domain_names) == ["data.globex.example"]
    assert life.aws.resources == (1, 1, 1, 1)
    assert set(count_resources(stores, organization_id).values()) == {0}
    assert set(count_resources(stores, globex.organization.id).values()) == {1}


def test_erasure_counts_and_removes_what_no_claim_names(life: Life, acme: Provisioned, globex: Provisioned) -> None:
    """A call to AWS may have had an effect that no row tells of. The rows are deleted before the count."""
    life.serve(acme)
    life.serve(globex, "data.globex.example")
    execute(life, "DELETE FROM custom_domains WHERE organization_id = %s", acme.organization.id)
    stores, organization_id = life.steps.app.stores, acme.organization.id

    counted = count_resources(stores, organization_id)
    erase_custom_domains(stores, organization_id, now=life.now)

    assert counted == {"domain_names": 1, "certificates": 1, "target_records": 1}
    assert set(count_resources(stores, organization_id).values()) == {0}
    assert life.aws.resources == (1, 1, 1, 1)


def test_erasure_removes_the_resources_of_an_unverified_claim(life: Life, acme: Provisioned) -> None:
    life.serve(acme)
    execute(life, "UPDATE custom_domains SET status = 'unverified', verified_at = NULL, check_at = NULL")

    erase_custom_domains(life.steps.app.stores, acme.organization.id, now=life.now)

    assert life.aws.resources == NOTHING
