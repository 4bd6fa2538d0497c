"""Certificates of custom domains, in ACM."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.custom_domains import DomainFailure, DomainOwner
from tenancy.rules.durations import BOTO_READ_TIMEOUT_SECONDS, CERTIFICATE_WARNING_TIME
from tenancy.stores.aws.boto import BOTO_CONFIG, BotoConfig, load_boto, make_client
from tenancy.stores.aws.domain_refusals import LIMIT_EXCEEDED, DomainRefusedError, error_code
from tenancy.stores.aws.domain_tags import CLAIM_TAG, ORGANIZATION_TAG, domain_tags

NOT_FOUND: Final = "ResourceNotFoundException"
# For the tags of many certificates. ACM takes some of these calls a second, and boto3 repeats the others later.
PATIENT_CONFIG: Final = BotoConfig(read_timeout=BOTO_READ_TIMEOUT_SECONDS, attempts=5)
KEY_TYPES: Final = ["RSA_2048"]  # of a request that names no type


class CertificateStatus(StrEnum):
    """The progress of a certificate."""

    PENDING = "pending"
    ISSUED = "issued"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"


ACM_STATUSES: Final[Mapping[str, CertificateStatus]] = {
    "PENDING_VALIDATION": CertificateStatus.PENDING,
    "ISSUED": CertificateStatus.ISSUED,
    "VALIDATION_TIMED_OUT": CertificateStatus.TIMED_OUT,
}
# ACM renews a certificate by itself while it can validate the domain (PENDING_AUTO_RENEWAL, SUCCESS).
STUCK_RENEWALS: Final = frozenset({"PENDING_VALIDATION", "FAILED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainCertificate:
    """A certificate, and the CNAME record that validates it. ACM has no record for some seconds after the request.

    *ends_at* is None before the certificate is issued. *is_renewal_stuck* tells that ACM wanted to renew it and could
    not, because the record is missing, or a CAA record excludes Amazon.
    """

    arn: str
    status: CertificateStatus
    record_name: str | None
    record_value: str | None
    ends_at: datetime | None = None
    is_renewal_stuck: bool = False

    def is_expiring(self, now: datetime) -> bool:
        """Tell whether the certificate is about to end, because it is not renewed."""
        is_near = self.ends_at is not None and self.ends_at <= now + CERTIFICATE_WARNING_TIME
        return self.is_renewal_stuck or is_near


class DomainCertificates:
    """The certificates of a stack. Each one belongs to one claim, by its tags."""

    def __init__(self, region: str, stack_name: str) -> None:
        """Use ACM in *region*. The client is made at the first use."""
        self._region = region
        self._stack_name = stack_name
        load_boto()

    def find_usable(self, owner: DomainOwner, *, stored_arn: str | None) -> str | None:
        """Return the ARN of the claim's certificate that is or may be issued, or None without one.

        The one with *stored_arn* is looked at first. Certificates of the claim that ACM refused are deleted.

        Raises:
            UnavailableError: ACM rejected a call or is unreachable. A retry continues.
        """
        try:
            for arn in self._each_own(owner, stored_arn):
                found = self._describe(arn)
                if found is not None and found.status in {CertificateStatus.PENDING, CertificateStatus.ISSUED}:
                    return arn
                self._delete(arn)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("ACM did not return the certificates of a domain.") from error
        return None

    def request(self, owner: DomainOwner, *, attempt: int) -> str:
        """Request a certificate for the claim, and return its ARN.

        *attempt* and the claim are the idempotency token, so that two runs of one attempt get one certificate.

        Raises:
            DomainRefusedError: a quota of the account is used up.
            UnavailableError: ACM rejected the call or is unreachable. A retry continues.
        """
        try:
            answer = _acm(self._region).request_certificate(
                DomainName=owner.domain,
                ValidationMethod="DNS",
                IdempotencyToken=f"{owner.claim_id.hex[:24]}{attempt:08d}"[-32:],
                Tags=[{"Key": key, "Value": value} for key, value in domain_tags(self._stack_name, owner).items()],
            )
            return str(answer["CertificateArn"])
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and error_code(error) == LIMIT_EXCEEDED:
                raise DomainRefusedError(DomainFailure.NO_CAPACITY) from error
            raise UnavailableError("ACM did not take the request of a certificate.") from error

    def find(self, arn: str) -> DomainCertificate | None:
        """Return the certificate, or None if it does not exist.

        Raises:
            UnavailableError: ACM rejected the call or is unreachable.
        """
        try:
            return self._describe(arn)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("ACM did not return the state of a certificate.") from error

    def delete(self, owner: DomainOwner, *, stored_arn: str | None) -> None:
        """Delete all certificates of the claim, that with *stored_arn* first. Idempotent.

        Raises:
            UnavailableError: ACM rejected a call or is unreachable, or API Gateway still uses the certificate.
        """
        try:
            for arn in self._each_own(owner, stored_arn):
                self._delete(arn)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("ACM did not delete the certificate of a domain.") from error

    def count_all(self, organization_id: UUID) -> int:
        """Return the number of certificates of the organization's claims.

        Raises:
            UnavailableError: ACM rejected a call or is unreachable.
        """
        try:
            return sum(1 for _ in self._list_of(organization_id))
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("ACM did not list the certificates of an organization.") from error

    def delete_all(self, organization_id: UUID) -> None:
        """Delete all certificates of the organization's claims, also of claims that do not exist any more. Idempotent.

        Raises:
            UnavailableError: as for `delete`.
        """
        try:
            for arn in list(self._list_of(organization_id)):
                self._delete(arn)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("ACM did not delete the certificates of an organization.") from error

    def _list_of(self, organization_id: UUID) -> Iterator[str]:
        """List certificates by the tag of the organization. That is one call for each certificate of the account."""
        client = _acm(self._region, PATIENT_CONFIG)
        for page in client.get_paginator("list_certificates").paginate(Includes={"keyTypes": KEY_TYPES}):
            for summary in page["CertificateSummaryList"]:
                arn = summary["CertificateArn"]
                if {"Key": ORGANIZATION_TAG, "Value": str(organization_id)} in _tags(client, arn):
                    yield arn

    def _each_own(self, owner: DomainOwner, stored_arn: str | None) -> Iterator[str]:
        """Return the stored certificate, then those whose request was not stored, before its process died."""
        if stored_arn is not None:
            yield stored_arn
        yield from (arn for arn in self._list_own(owner) if arn != stored_arn)

    def _list_own(self, owner: DomainOwner) -> Iterator[str]:
        client = _acm(self._region)
        pages = client.get_paginator("list_certificates").paginate(Includes={"keyTypes": KEY_TYPES})
        arns = [
            summary["CertificateArn"]
            for page in pages
            for summary in page["CertificateSummaryList"]
            if summary["DomainName"] == owner.domain
        ]
        for arn in arns:
            tags = client.list_tags_for_certificate(CertificateArn=arn)["Tags"]
            if {"Key": CLAIM_TAG, "Value": str(owner.claim_id)} in tags:
                yield arn

    def _describe(self, arn: str) -> DomainCertificate | None:
        try:
            found = _acm(self._region).describe_certificate(CertificateArn=arn)["Certificate"]
        except ClientError as error:
            if error_code(error) == NOT_FOUND:
                return None
            raise
        [options, *_] = found.get("DomainValidationOptions") or [{}]
        record = options.get("ResourceRecord") or {}
        return DomainCertificate(
            arn=arn,
            status=ACM_STATUSES.get(found["Status"], CertificateStatus.REFUSED),
            record_name=record.get("Name"),
            record_value=record.get("Value"),
            ends_at=found.get("NotAfter"),
            is_renewal_stuck=found.get("RenewalSummary", {}).get("RenewalStatus") in STUCK_RENEWALS,
        )

    def _delete(self, arn: str) -> None:
        try:
            _acm(self._region).delete_certificate(CertificateArn=arn)
        except ClientError as error:
            if error_code(error) != NOT_FOUND:
                raise


@cache
def _acm(region: str, config: BotoConfig = BOTO_CONFIG) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return make_client("acm", region, config)


def _tags(client: Any, arn: str) -> Any:  # noqa: ANN401
    try:
        return client.list_tags_for_certificate(CertificateArn=arn)["Tags"]
    except ClientError as error:
        if error_code(error) == NOT_FOUND:  # it was deleted meanwhile
            return []
        raise
