"""Verify a custom domain, get its certificate, and serve the API at it, in tasks of a state machine.

Each task may run twice, and passes at once if its step is done. So another execution repeats nothing.
"""

from datetime import datetime
from enum import StrEnum
from functools import partial

from tenancy.errors import DomainTakenError
from tenancy.rules import domain_life
from tenancy.rules.audit_record import AuditRecord
from tenancy.rules.custom_domains import (
    CUSTOM_DOMAIN_ACTIVATED,
    CustomDomain,
    CustomDomainStatus,
    DomainFailure,
    RecordProblem,
    ServedApi,
)
from tenancy.rules.homes import EntryKind
from tenancy.stores.aws.certificates import CertificateStatus
from tenancy.stores.aws.domain_refusals import DomainRefusedError
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.custom_domains import lock_custom_domains, update_custom_domain
from tenancy.use_cases.domains.certificate_budget import spend_request
from tenancy.use_cases.domains.current_claim import (
    Attempt,
    change_current,
    holding_resources,
    lock_current,
    read_current,
)
from tenancy.use_cases.domains.domain_stores import DomainStores
from tenancy.use_cases.domains.look_up_records import find_record_problems, find_routing_problem
from tenancy.use_cases.domains.store_look import store_look
from tenancy.use_cases.homes.claim_values import claim_domain

REFUSED = {
    CertificateStatus.REFUSED: DomainFailure.CERTIFICATE_REFUSED,
    CertificateStatus.TIMED_OUT: DomainFailure.CERTIFICATE_TIMED_OUT,
}


class Outcome(StrEnum):
    """The next state of an execution, as its Choice states know it."""

    DONE = "done"
    WAITING = "waiting"
    RELEASING = "releasing"
    FAILED = "failed"
    NO_CAPACITY = "no_capacity"  # the execution fails, which alerts the operator


def check_records(stores: DomainStores, fetcher: Fetcher, attempt: Attempt, *, now: datetime) -> Outcome:
    """Look for the TXT record, and store the proof if it is there.

    Raises:
        OutdatedAttemptError: the attempt is not the last one.
        UnavailableError: a service does not work. A retry continues.
    """
    claim = read_current(stores.platform_db, attempt)
    if claim.is_releasing:
        return Outcome.RELEASING
    if claim.failure is not None:
        return Outcome.FAILED
    if claim.verified_at is not None:
        return Outcome.DONE
    problems = find_record_problems(fetcher, claim, stores.base_domain)  # DNS servers may be slow
    try:
        if problems.ownership is None:
            kind, record = EntryKind.CUSTOM_DOMAIN, claim.record_name
            claim_domain(stores.platform_db, attempt.organization_id, kind, claim.domain, record_name=record, now=now)
        with stores.platform_db.tenant_transaction(attempt.organization_id) as conn:
            looked = domain_life.wait(lock_current(conn, attempt), now=now)
            stored = store_look(conn, attempt.organization_id, looked, problems, attempt.actor, now=now)
    except DomainTakenError:
        return _fail(stores, attempt, DomainFailure.DOMAIN_TAKEN, now)
    if stored.verified_at is not None:
        return Outcome.DONE
    return _wait(stores, attempt, stored, DomainFailure.RECORDS_MISSING, now)


def request_certificate(stores: DomainStores, attempt: Attempt, *, now: datetime) -> Outcome:
    """Request the certificate, and store its ARN.

    The request is counted before it is made: a task that dies has counted too much, never too little.

    Raises:
        ClaimBusyError: another task changes the resources of the claim.
        OutdatedAttemptError, UnavailableError: as for `check_records`.
    """
    with holding_resources(stores.platform_db, attempt.organization_id, attempt.claim_id, now=now):
        claim = read_current(stores.platform_db, attempt)
        if claim.status is not CustomDomainStatus.VERIFIED or claim.attached_at is not None:
            return _outcome(claim)
        if _is_late(claim, now) and claim.certificate_arn is None:
            return _fail(stores, attempt, DomainFailure.SET_UP_TIMED_OUT, now)
        if _is_late(claim, now):
            return Outcome.DONE  # the next task looks at the certificate once more, and fails unless it is issued
        owner = stores.owner(attempt.organization_id, claim)
        arn = stores.certificates.find_usable(owner, stored_arn=claim.certificate_arn)
        if arn is None:
            if not _spend_request(stores, attempt, now):
                return _fail(stores, attempt, DomainFailure.CERTIFICATE_LIMIT, now)
            try:
                arn = stores.certificates.request(owner, attempt=attempt.number)
            except DomainRefusedError as error:
                return _fail(stores, attempt, error.failure, now)
        change_current(stores.platform_db, attempt, partial(domain_life.request, certificate_arn=arn, now=now))
    return Outcome.DONE


def check_certificate(stores: DomainStores, attempt: Attempt, *, now: datetime) -> Outcome:
    """Read the state of the certificate, and store the record that validates it.

    Raises:
        OutdatedAttemptError, UnavailableError: as for `check_records`.
    """
    claim = read_current(stores.platform_db, attempt)
    if claim.failure is not None:
        return Outcome.FAILED
    if claim.certificate_arn is None or claim.attached_at is not None:
        return Outcome.DONE
    found = stores.certificates.find(claim.certificate_arn)
    if found is None:
        return _fail(stores, attempt, DomainFailure.CERTIFICATE_REFUSED, now)
    publish = partial(domain_life.publish_validation, name=found.record_name, value=found.record_value)
    published = change_current(stores.platform_db, attempt, publish)
    if found.status is CertificateStatus.ISSUED:
        change_current(stores.platform_db, attempt, partial(domain_life.issue, now=now))
        return Outcome.DONE
    if found.status is CertificateStatus.PENDING:
        return _wait(stores, attempt, published, DomainFailure.CERTIFICATE_TIMED_OUT, now)
    return _fail(stores, attempt, REFUSED[found.status], now)


def attach_domain(stores: DomainStores, api: ServedApi, attempt: Attempt, *, now: datetime) -> Outcome:
    """Attach the domain to API Gateway, and make the record to which its CNAME record leads.

    Raises:
        ClaimBusyError: another task changes the resources of the claim.
        OutdatedAttemptError, UnavailableError: as for `check_records`.
    """
    with holding_resources(stores.platform_db, attempt.organization_id, attempt.claim_id, now=now):
        claim = read_current(stores.platform_db, attempt)
        if claim.status is not CustomDomainStatus.VERIFIED or claim.attached_at is not None:
            return _outcome(claim)
        if _is_late(claim, now):
            return _fail(stores, attempt, DomainFailure.SET_UP_TIMED_OUT, now)
        if claim.certificate_arn is None:
            raise ValueError("The claim has no certificate.")
        owner = stores.owner(attempt.organization_id, claim)
        try:
            target = stores.api_domains.attach(owner, api, certificate_arn=claim.certificate_arn)
        except DomainRefusedError as error:
            return _fail(stores, attempt, error.failure, now)
        stores.target_records.put(owner.target, target)
        change_current(stores.platform_db, attempt, lambda each: domain_life.attach(each, now=now))
    return Outcome.DONE


def check_routing(stores: DomainStores, fetcher: Fetcher, attempt: Attempt, *, now: datetime) -> Outcome:
    """Look for the CNAME record, and serve requests at the domain if it is there.

    Raises:
        OutdatedAttemptError, UnavailableError: as for `check_records`.
    """
    claim = read_current(stores.platform_db, attempt)
    if claim.failure is not None:
        return Outcome.FAILED
    if claim.status is CustomDomainStatus.ACTIVE:
        return Outcome.DONE
    problem = find_routing_problem(fetcher, claim, stores.base_domain)
    if problem is None:
        _activate(stores, attempt, now)
        return Outcome.DONE
    looked = change_current(stores.platform_db, attempt, lambda each: _look_at_routing(each, problem, now))
    return _wait(stores, attempt, looked, DomainFailure.ROUTING_MISSING, now)


def _activate(stores: DomainStores, attempt: Attempt, now: datetime) -> None:
    with stores.platform_db.tenant_transaction(attempt.organization_id) as conn:
        claim = lock_current(conn, attempt)
        if claim.status is CustomDomainStatus.ACTIVE:
            return
        active = domain_life.activate(_look_at_routing(claim, None, now), now=now)
        update_custom_domain(conn, attempt.organization_id, active)
        record = AuditRecord.done(CUSTOM_DOMAIN_ACTIVATED, str(claim.id), attempt.actor, now=now)
        insert_audit_record(conn, attempt.organization_id, record)


def _look_at_routing(claim: CustomDomain, problem: RecordProblem | None, now: datetime) -> CustomDomain:
    return domain_life.look(claim, claim.ownership_problem, problem, now=now)


def _wait(
    stores: DomainStores, attempt: Attempt, claim: CustomDomain, failure: DomainFailure, now: datetime
) -> Outcome:
    """Wait for the next look, or fail after the deadline of the stage."""
    if _is_late(claim, now):
        return _fail(stores, attempt, failure, now)
    change_current(stores.platform_db, attempt, lambda each: domain_life.wait(each, now=now))
    return Outcome.WAITING


def _is_late(claim: CustomDomain, now: datetime) -> bool:
    return claim.deadline_at is not None and now >= claim.deadline_at


def _spend_request(stores: DomainStores, attempt: Attempt, now: datetime) -> bool:
    organization_id = attempt.organization_id
    with stores.platform_db.tenant_transaction(organization_id) as conn:
        lock_custom_domains(conn, organization_id)
        lock_current(conn, attempt)
        return spend_request(conn, organization_id, attempt.claim_id, attempt.number, now=now)


def _fail(stores: DomainStores, attempt: Attempt, failure: DomainFailure, now: datetime) -> Outcome:
    return _outcome(change_current(stores.platform_db, attempt, partial(domain_life.fail, failure=failure, now=now)))


def _outcome(claim: CustomDomain) -> Outcome:
    """Return the outcome of a task whose claim needs no work. A second run of a task returns that of the first."""
    if claim.failure is None:
        return Outcome.DONE
    return Outcome.NO_CAPACITY if claim.failure is DomainFailure.NO_CAPACITY else Outcome.FAILED
