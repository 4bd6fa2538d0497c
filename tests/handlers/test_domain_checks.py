"""Weekly checks of proven e-mail domains, with `fetch` and a real DNS server."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import Actor
from tenancy.rules.durations import DOMAIN_CHECK_INTERVAL, DOMAIN_RECHECK_INTERVAL, MISSING_PROOF_TIME
from tenancy.rules.email_domains import EmailDomain
from tenancy.rules.mails import render_mail
from tenancy.rules.tenant import CallerKind
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.email_domains import find_email_domain
from tenancy.stores.postgres.platform.proven_domains import find_domain_owner
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.check_domains import DomainChecks, check_domains
from tenancy.use_cases.sso.claim_domain import claim_domain
from tenancy.use_cases.sso.verify_domain import verify_domain
from tests.free_ports import free_port
from tests.given import REGION, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.name_server import NameServer

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
DOMAIN = "acme.example"
SSO = {"sso": True}
ACTOR = Actor(kind=CallerKind.KEY, id=UUID(int=1), request_id="", source_address="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """A proven domain of acme, and its checks."""

    databases: Databases
    fetcher: Fetcher
    names: NameServer
    acme: Provisioned

    def run(self, now: datetime, *, is_in_time: bool = True) -> DomainChecks:
        return check_domains(self.databases.platform, self.fetcher, now=now, has_time=lambda: is_in_time)

    @property
    def domain(self) -> EmailDomain:
        organization_id = self.acme.organization.id
        with self.databases.platform.tenant_transaction(organization_id) as conn:
            found = find_email_domain(conn, organization_id, DOMAIN)
        assert found is not None
        return found

    @property
    def owner(self) -> UUID | None:
        with self.databases.platform.transaction() as conn:
            return find_domain_owner(conn, DOMAIN)

    @property
    def mails(self) -> list[tuple[str, str]]:
        """Return kind and address of each mail, after it was rendered."""
        with superuser(self.databases) as conn:
            rows = conn.execute("SELECT kind, payload FROM outbox WHERE kind LIKE 'email_domain%' ORDER BY kind")
            return [(kind, render_mail(kind, payload).to) for kind, payload in rows.fetchall()]

    def lose_record(self) -> None:
        self.names.put(self.domain.record_name, "TXT", "v=spf1 -all")


@pytest.fixture
def checks(databases: Databases, invocations_url: str, names: NameServer, acme: Provisioned) -> Iterator[Checks]:
    aws = AwsClient("lambda", REGION, invocations_url)
    fetcher = Fetcher(aws, "fetch")
    tenant = tenant_of(acme, overrides=SSO)
    claimed = claim_domain(databases.platform, tenant, DOMAIN, ACTOR, now=NOW)
    names.put(claimed.record_name, "TXT", claimed.record_value)
    assert verify_domain(databases.platform, fetcher, tenant, DOMAIN, ACTOR, now=NOW).problem is None
    yield Checks(databases=databases, fetcher=fetcher, names=names, acme=acme)
    aws.close()


def test_proof_is_checked_each_week(checks: Checks) -> None:
    early = checks.run(NOW + DOMAIN_CHECK_INTERVAL - SECOND)
    due = checks.run(NOW + DOMAIN_CHECK_INTERVAL)
    again = checks.run(NOW + DOMAIN_CHECK_INTERVAL)

    assert (early.checked, due.checked, again.checked) == (0, 1, 0)
    assert (due.missing, due.withdrawn, due.failures, checks.mails) == (0, 0, [], [])
    assert checks.owner == checks.acme.organization.id


def test_missing_record_is_mailed_once_and_withdrawn_after_days(checks: Checks) -> None:
    checks.lose_record()
    missed_at = NOW + DOMAIN_CHECK_INTERVAL

    runs = [checks.run(missed_at + number * DAY) for number in range(MISSING_PROOF_TIME.days)]

    assert [(run.missing, run.withdrawn) for run in runs] == [(1, 0)] * MISSING_PROOF_TIME.days
    assert (checks.domain.missing_since, checks.owner) == (missed_at, checks.acme.organization.id)
    assert checks.mails == [("email_domain_missing_mail", "admin@acme.example")]

    last = checks.run(missed_at + MISSING_PROOF_TIME)

    assert (last.withdrawn, checks.owner, checks.domain.status) == (1, None, "unverified")
    assert [kind for kind, _ in checks.mails] == ["email_domain_missing_mail", "email_domain_withdrawn_mail"]
    with superuser(checks.databases) as conn:
        records = conn.execute("SELECT target FROM audit_log WHERE action = 'email_domain.withdrawn'").fetchall()
    assert records == [(str(checks.domain.id),)]


def test_record_that_comes_back_keeps_the_proof(checks: Checks) -> None:
    checks.lose_record()
    checks.run(NOW + DOMAIN_CHECK_INTERVAL)
    checks.names.put(checks.domain.record_name, "TXT", checks.domain.record_value)

    checks.run(NOW + DOMAIN_CHECK_INTERVAL + DOMAIN_RECHECK_INTERVAL)

    assert checks.domain.missing_since is None
    assert checks.run(NOW + DOMAIN_CHECK_INTERVAL + MISSING_PROOF_TIME).checked == 0


def test_failing_name_servers_withdraw_nothing(checks: Checks) -> None:
    checks.names.failing.add(checks.domain.record_name)

    runs = [checks.run(NOW + DOMAIN_CHECK_INTERVAL + number * DAY) for number in range(30)]

    assert {(run.checked, run.withdrawn) for run in runs} == {(1, 0)}
    assert (checks.domain.missing_since, checks.mails) == (None, [])


def test_verification_by_hand_ends_the_missing_time(checks: Checks) -> None:
    checks.lose_record()
    checks.run(NOW + DOMAIN_CHECK_INTERVAL)
    checks.names.put(checks.domain.record_name, "TXT", checks.domain.record_value)
    tenant, now = tenant_of(checks.acme, overrides=SSO), NOW + DOMAIN_CHECK_INTERVAL + DAY

    verify_domain(checks.databases.platform, checks.fetcher, tenant, DOMAIN, ACTOR, now=now)

    assert (checks.domain.missing_since, checks.domain.verified_at) == (None, NOW)


@pytest.mark.parametrize("status", ["deleted", "erasing"])
def test_domains_of_deleted_organizations_are_not_checked(checks: Checks, status: str) -> None:
    with superuser(checks.databases) as conn:
        conn.execute(
            "UPDATE organizations SET status = %s, deleted_at = now(), purge_at = now() WHERE id = %s",
            (status, checks.acme.organization.id),
        )

    assert checks.run(NOW + DOMAIN_CHECK_INTERVAL).checked == 0


def test_no_check_starts_without_time(checks: Checks) -> None:
    assert checks.run(NOW + DOMAIN_CHECK_INTERVAL, is_in_time=False).checked == 0


def test_fetch_that_cannot_be_invoked_changes_nothing(checks: Checks) -> None:
    unreachable = Fetcher(AwsClient("lambda", REGION, f"http://127.0.0.1:{free_port()}"), "fetch")

    run = check_domains(checks.databases.platform, unreachable, now=NOW + DOMAIN_CHECK_INTERVAL, has_time=lambda: True)

    assert [type(failure) for failure in run.failures] == [UnavailableError]
    assert (run.checked, checks.domain.missing_since) == (0, None)


def test_function_that_fails_is_unavailable(checks: Checks) -> None:
    with pytest.raises(UnavailableError, match="has failed"):
        checks.fetcher.fetch_url("https://acme.example/", max_bytes=0)


def test_claim_that_changes_meanwhile_is_left_alone(checks: Checks) -> None:
    """The record is looked up between two transactions."""
    asked_before = len(checks.names.asked)
    resolve = NameServer.resolve

    def remove_first(*arguments: object) -> object:
        with superuser(checks.databases) as conn:
            conn.execute("UPDATE email_domains SET missing_since = %s", (NOW,))
        return resolve(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NameServer, "resolve", remove_first)
        run = checks.run(NOW + DOMAIN_CHECK_INTERVAL)

    assert len(checks.names.asked) > asked_before
    assert (run.checked, run.failures) == (0, [])
