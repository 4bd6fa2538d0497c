"""Read the certificates of an erasure, and verify their signatures."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tenancy.errors import NotFoundError
from tenancy.rules.deletion import Certificate
from tenancy.stores.aws.signer import ALGORITHM, Signer
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.deletions import list_certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The certificates of an erasure, oldest first.

    *are_valid* tells that all signatures verify.
    """

    certificates: Sequence[Certificate]
    are_valid: bool
    signing_key: str
    algorithm: str = ALGORITHM


def read_certificate(platform_db: Homes, signer: Signer, organization_id: UUID) -> Certificates:
    """Return the certificates of an organization's erasure.

    Raises:
        NotFoundError: there is no such organization, or it is not erased.
        UnavailableError: a store is unreachable.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        certificates = list_certificates(conn, organization_id)
    if not certificates:
        raise NotFoundError("There is no such certificate.")
    are_valid = all(signer.is_signed(each.text.encode(), each.signature) for each in certificates)
    return Certificates(certificates=certificates, are_valid=are_valid, signing_key=signer.key_id)
