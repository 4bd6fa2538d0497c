"""Documents of deletions: the request, the state, and the certificate."""

import base64
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator

from tenancy.gateway.times import format_time
from tenancy.rules.deletion import REASON_MAX_CHARACTERS, Certificate
from tenancy.rules.organization import Organization
from tenancy.use_cases.deletion.read_certificate import Certificates


class DeletionRequest(BaseModel):
    """The body of DELETE /v1/organizations/{id}."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_MAX_CHARACTERS)]

    @field_validator("reason")
    @classmethod
    def _is_one_line(cls, reason: str) -> str:
        if not reason.isprintable():
            raise ValueError("`reason` must be one line of printable characters.")
        return reason


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
