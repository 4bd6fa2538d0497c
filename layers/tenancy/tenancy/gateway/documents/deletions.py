"""Documents of deletions: the request, the state, and the certificate."""

import base64
import json
from functools import partial
from typing import Annotated, Any, Literal, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tenancy.gateway.answer_types import Time
from tenancy.gateway.times import format_time
from tenancy.rules.deletion import REASON_MAX_CHARACTERS, Certificate
from tenancy.rules.organization import Organization, OrganizationStatus
from tenancy.rules.texts import parse_line
from tenancy.use_cases.deletion.read_certificate import Certificates


class DeletionRequest(BaseModel):
    """The body of DELETE /v1/organizations/{id}."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[
        str,
        AfterValidator(partial(parse_line, max_characters=REASON_MAX_CHARACTERS)),
        Field(json_schema_extra={"minLength": 1, "maxLength": REASON_MAX_CHARACTERS}),
    ]


class DeletionAnswer(TypedDict):
    """The state of a deletion."""

    status: OrganizationStatus
    deleted_at: Time
    purge_at: Time


class CertificateAnswer(TypedDict):
    """A certificate as JSON and as the text that was signed. *signature* is Base64."""

    certificate: dict[str, Any]
    text: str
    signature: str


class CertificatesAnswer(CertificateAnswer):
    """The certificate of an erasure, and the later counts."""

    counted_again: list[CertificateAnswer]
    is_valid: bool
    signing_key: str
    algorithm: Literal["ECDSA_SHA_256"]


def deletion_document(organization: Organization) -> dict[str, Any]:
    """Return the state of the organization's deletion."""
    moments = {"deleted_at": organization.deleted_at, "purge_at": organization.purge_at}
    return {
        "status": organization.status.value,
        **{name: format_time(moment) for name, moment in moments.items() if moment is not None},
    }


def certificates_document(found: Certificates) -> dict[str, Any]:
    """Return the certificate and the later counts, each with the text that was signed."""
    first, *later = found.certificates
    return {
        **_document(first),
        "counted_again": [_document(each) for each in later],
        "is_valid": found.are_valid,
        "signing_key": found.signing_key,
        "algorithm": found.algorithm,
    }


def _document(certificate: Certificate) -> dict[str, Any]:
    return {
        "certificate": json.loads(certificate.text),
        "text": certificate.text,
        "signature": base64.b64encode(certificate.signature).decode(),
    }
