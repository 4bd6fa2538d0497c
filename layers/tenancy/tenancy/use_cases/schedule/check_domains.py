"""Check proven e-mail domains again each week, and withdraw proofs that are gone for days."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import AuditRecord
from tenancy.rules.domain_checks import DomainCheck, assess_check, withdrawal_at
from tenancy.rules.email_domains import DOMAIN_WITHDRAWN, EmailDomain, ProofProblem
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.email_domains import find_email_domain, lock_email_domain, update_domain_checked
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.stores.postgres.platform.proven_domains import DueDomain, list_due_domains
from tenancy.stores.postgres.platform.quota_notices import list_admins
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tenancy.use_cases.schedule.failures import collect_failures, skip_moved
from tenancy.use_cases.schedule.notice_rotations import SCHEDULER
from tenancy.use_cases.sso.verify_domain import find_problem

MAX_CHECKED_DOMAINS: Final = 500  # in one run. The next run continues.


@dataclass(slots=True, kw_only=True)
class DomainChecks:
    """The numbers of checked domains, of those without a proof, and of withdrawn ones.

    The caller must raise the *failures*.
    """

    checked: int = 0
    missing: int = 0
    withdrawn: int = 0
    failures: list[Exception] = field(default_factory=list)


def check_domains(
    platform_db: Database, fetcher: Fetcher, *, now: datetime, has_time: Callable[[], bool]
) -> DomainChecks:
    """Check the proven domains that are due, while *has_time* is true.

    The new state of a domain, its audit record and its mails are one transaction: a run that dies repeats and loses
    nothing. A domain that fails does not stop the others.

    Raises:
        UnavailableError: the database is unreachable. The next run continues.
    """
    checks = DomainChecks()
    with platform_db.transaction() as conn:
        due = list_due_domains(conn, now=now, limit=MAX_CHECKED_DOMAINS)
    for each in due:
        if not has_time() or any(isinstance(failure, UnavailableError) for failure in checks.failures):
            break  # each further domain would wait for the database or `fetch` as well
        with collect_failures(checks.failures), skip_moved():
            _check(platform_db, fetcher, each, checks, now)
    return checks


def _check(platform_db: Database, fetcher: Fetcher, due: DueDomain, checks: DomainChecks, now: datetime) -> None:
    with platform_db.tenant_transaction(due.organization_id) as conn:
        domain = find_email_domain(conn, due.organization_id, due.domain)
    if domain is None:
        return
    problem = find_problem(fetcher, domain)
    with platform_db.tenant_transaction(due.organization_id) as conn:
        check = _store(conn, due, domain, problem, now)
    if check is not None:
        checks.checked += 1
        checks.missing += problem is not None
        checks.withdrawn += check.is_withdrawn


def _store(
    conn: Connection, due: DueDomain, seen: EmailDomain, problem: ProofProblem | None, now: datetime
) -> DomainCheck | None:
    """Store the effect of a check, or return None if the claim has changed meanwhile."""
    organization_id = due.organization_id
    if lock_email_domain(conn, organization_id, due.domain) != seen or seen.verified_at is None:
        return None
    is_found = None if problem is ProofProblem.NO_DNS_ANSWER else problem is None
    check = assess_check(seen.missing_since, is_found=is_found, now=now)
    update_domain_checked(conn, organization_id, due.domain, check)
    if check.is_withdrawn:
        record = AuditRecord.done(DOMAIN_WITHDRAWN, str(seen.id), SCHEDULER, now=now)
        insert_audit_record(conn, organization_id, record)
        _enqueue_mails(conn, organization_id, OutboxKind.EMAIL_DOMAIN_WITHDRAWN_MAIL, seen, now)
    if check.is_newly_missing:
        _enqueue_mails(conn, organization_id, OutboxKind.EMAIL_DOMAIN_MISSING_MAIL, seen, now)
    return check


def _enqueue_mails(
    conn: Connection, organization_id: UUID, kind: OutboxKind, domain: EmailDomain, now: datetime
) -> None:
    payload = {
        "domain": domain.domain,
        "record_name": domain.record_name,
        "record_value": domain.record_value,
        "withdrawal_at": withdrawal_at(now).isoformat(timespec="seconds"),
    }
    for address in list_admins(conn, organization_id):
        insert_outbox_entry(conn, organization_id, kind, {**payload, "to": address}, due_at=now)
