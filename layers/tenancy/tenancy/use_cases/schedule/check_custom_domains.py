"""Check proven custom domains again each week, and withdraw proofs that are gone for days."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules import domain_life
from tenancy.rules.audit_record import AuditRecord
from tenancy.rules.custom_domains import CUSTOM_DOMAIN_WITHDRAWN, CustomDomain, RecordProblem
from tenancy.rules.domain_checks import DomainCheck, assess_check, withdrawal_at
from tenancy.rules.entitlements import WHITE_LABEL_FLAG
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.custom_domains import find_custom_domain, lock_custom_domain, update_custom_domain
from tenancy.stores.postgres.platform.listed_custom_domains import ListedDomain, list_due_checks
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.stores.postgres.platform.quota_notices import list_admins
from tenancy.stores.postgres.standing import find_standing
from tenancy.use_cases.domains.look_up_records import find_ownership_problem
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tenancy.use_cases.schedule.check_domains import DomainChecks
from tenancy.use_cases.schedule.failures import collect_failures, skip_moved
from tenancy.use_cases.schedule.notice_rotations import SCHEDULER

if TYPE_CHECKING:
    from tenancy.stores.aws.certificates import DomainCertificates

MAX_CHECKED_CUSTOM_DOMAINS: Final = 500  # in one run. The next run continues.

type FindCertificates = Callable[[], "DomainCertificates"]  # the first call imports boto3


def check_custom_domains(
    platform_db: Database,
    fetcher: Fetcher,
    find_certificates: FindCertificates,
    *,
    now: datetime,
    has_time: Callable[[], bool],
) -> DomainChecks:
    """Check the proven custom domains that are due, while *has_time* is true.

    A domain of an organization that lost white label is missing as well. The admins get a mail, too, if the
    certificate of a domain is not renewed. The new state of a domain, its audit record
    and its mails are one transaction: a run that dies repeats and loses nothing. A domain that fails does not stop the
    others.

    Raises:
        UnavailableError: the database is unreachable. The next run continues.
    """
    checks = DomainChecks()
    with platform_db.transaction() as conn:
        due = list_due_checks(conn, now=now, limit=MAX_CHECKED_CUSTOM_DOMAINS)
    for each in due:
        if not has_time() or any(isinstance(failure, UnavailableError) for failure in checks.failures):
            break  # each further domain would wait for the database or `fetch` as well
        with collect_failures(checks.failures), skip_moved():
            _check(platform_db, fetcher, find_certificates, each, checks, now)
    return checks


def _check(
    platform_db: Database,
    fetcher: Fetcher,
    find_certificates: FindCertificates,
    due: ListedDomain,
    checks: DomainChecks,
    now: datetime,
) -> None:
    with platform_db.tenant_transaction(due.organization_id) as conn:
        claim = find_custom_domain(conn, due.organization_id, due.domain)
        is_in_tier = _has_white_label(conn, due.organization_id)
    if claim is None:
        return
    problem = find_ownership_problem(fetcher, claim) if is_in_tier else RecordProblem.NOT_IN_TIER
    is_expiring = claim.expiring_since is not None
    with collect_failures(checks.failures):  # without ACM the check of the proof goes on
        is_expiring = _is_expiring(find_certificates, claim, now)
    with platform_db.tenant_transaction(due.organization_id) as conn:
        result = _store(conn, due, claim, problem, now, is_expiring=is_expiring)
    if result is not None:
        checks.checked += 1
        checks.missing += problem is not None
        checks.withdrawn += result.is_withdrawn


def _is_expiring(find_certificates: FindCertificates, claim: CustomDomain, now: datetime) -> bool:
    if claim.attached_at is None or claim.certificate_arn is None:
        return False
    found = find_certificates().find(claim.certificate_arn)
    return found is None or found.is_expiring(now)


def _has_white_label(conn: Connection, organization_id: UUID) -> bool:
    standing = find_standing(conn, organization_id)
    return standing is not None and bool(standing.entitlements.values[WHITE_LABEL_FLAG])


def _store(
    conn: Connection,
    due: ListedDomain,
    seen: CustomDomain,
    problem: RecordProblem | None,
    now: datetime,
    *,
    is_expiring: bool,
) -> DomainCheck | None:
    """Store the effect of a check, or return None if the proof has changed meanwhile.

    Only the columns of the proof are compared: a `verify` without a proof must not put off a withdrawal.
    """
    organization_id = due.organization_id
    claim = lock_custom_domain(conn, organization_id, due.domain)
    if claim is None or claim.check_at is None or _proof(claim) != _proof(seen):
        return None
    is_found = None if problem is RecordProblem.NO_DNS_ANSWER else problem is None
    result = assess_check(seen.missing_since, is_found=is_found, now=now)
    checked = domain_life.check(claim, result, problem, now=now)
    watched = domain_life.watch_certificate(checked, is_expiring=is_expiring, now=now)
    update_custom_domain(conn, organization_id, watched)
    if claim.expiring_since is None and watched.expiring_since is not None:
        _enqueue_certificate_mails(conn, organization_id, watched, now)
    if result.is_withdrawn:
        record = AuditRecord.done(CUSTOM_DOMAIN_WITHDRAWN, str(seen.id), SCHEDULER, now=now)
        insert_audit_record(conn, organization_id, record)
        _enqueue_mails(conn, organization_id, OutboxKind.CUSTOM_DOMAIN_WITHDRAWN_MAIL, seen, problem, now)
    if result.is_newly_missing:
        _enqueue_mails(conn, organization_id, OutboxKind.CUSTOM_DOMAIN_MISSING_MAIL, seen, problem, now)
    return result


def _proof(claim: CustomDomain) -> tuple[object, ...]:
    return claim.id, claim.verified_at, claim.check_at, claim.missing_since


def _enqueue_mails(
    conn: Connection,
    organization_id: UUID,
    kind: OutboxKind,
    claim: CustomDomain,
    problem: RecordProblem | None,
    now: datetime,
) -> None:
    record = f'{claim.record_name} TXT "{claim.record_value}"'
    payload = {
        "domain": claim.domain,
        "cause": (
            "The tier of your organization does not include custom domains any more."
            if problem is RecordProblem.NOT_IN_TIER
            else f"The DNS record that proves the domain is missing:\n\n{record}"
        ),
        "withdrawal_at": withdrawal_at(now).isoformat(timespec="seconds"),
    }
    for address in list_admins(conn, organization_id):
        insert_outbox_entry(conn, organization_id, kind, {**payload, "to": address}, due_at=now)


def _enqueue_certificate_mails(conn: Connection, organization_id: UUID, claim: CustomDomain, now: datetime) -> None:
    name, value = claim.validation_name or "", claim.validation_value or ""
    record = f"{name.removesuffix('.')} CNAME {value.removesuffix('.')}"
    for address in list_admins(conn, organization_id):
        payload = {"domain": claim.domain, "record": record, "to": address}
        insert_outbox_entry(conn, organization_id, OutboxKind.CUSTOM_DOMAIN_CERTIFICATE_MAIL, payload, due_at=now)
