"""Entries of the register have digests: no canary of an organization, and no id but that of an erasure."""

from uuid import uuid4

import pytest

from tenancy.rules.keys.api_keys import KeyType, generate_key
from tests.isolation.proof.canaries import Canaries
from tests.isolation.proof.leaks.buckets import leaks_in_objects
from tests.isolation.proof.proof_data import ProofData, ProofOrganization

DIGEST = "0" * 64


@pytest.fixture
def data() -> ProofData:
    """Return an organization without rows."""
    acme = ProofOrganization(
        name="acme",
        organization_id=uuid4(),
        subdomain="acme",
        gateway_key="",
        row_ids={},
        write_key=generate_key(KeyType.WRITE),
    )
    return ProofData(organizations=(acme,), credentials=(), canaries=Canaries(), owners={})


def test_entry_with_digests_alone_is_no_leak(data: ProofData) -> None:
    assert leaks_in_objects({f"registerbucket/organizations/{DIGEST}": f'{{"organization":"{DIGEST}"}}'}, data) == []


@pytest.mark.parametrize("kind", ["organizations", "keys", "subjects", "deletions"])
def test_id_of_an_organization_in_an_entry_is_a_leak(data: ProofData, kind: str) -> None:
    own = str(data.organizations[0].organization_id)

    [leak] = leaks_in_objects({f"registerbucket/{kind}/{DIGEST}": own}, data)

    assert leak.endswith(f"shows the id {own}")


def test_canary_in_an_entry_is_a_leak(data: ProofData) -> None:
    canary = data.canaries.create(data.organizations[0].organization_id, "a name")

    assert len(leaks_in_objects({f"registerbucket/subjects/{DIGEST}": canary}, data)) == 1
