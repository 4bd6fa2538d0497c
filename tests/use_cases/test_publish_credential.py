"""The request or the sweep writes the state of a changed credential to Redis."""

from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.durations import PUBLICATION_CLAIM_TIME
from tenancy.stores.postgres.platform.outbox import OutboxEntry
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxKind, OutboxTargets, run_due_entries, run_entry
from tests.given import NOW, PATIENCE_SECONDS, Databases, tenant_of
from tests.use_cases.admitting import Admit
from tests.use_cases.erasing import pending_entries

REVOKE = "UPDATE api_keys SET revoked_at = %s WHERE organization_id = %s AND id = %s"


def revoke(databases: Databases, provisioned: Provisioned) -> OutboxEntry:
    """Revoke the secret key, and return the claimed outbox entry of the transaction."""
    organization_id, key_id = provisioned.organization.id, provisioned.secret_key_id
    with databases.platform.tenant_transaction(organization_id) as conn:
        conn.execute(REVOKE, (NOW, organization_id, key_id))
        return enqueue_credential_publication(conn, organization_id, key_id, now=NOW)


def test_request_publishes_the_state_of_a_credential(
    databases: Databases, targets: OutboxTargets, admit: Admit, acme: Provisioned
) -> None:
    admit(tenant_of(acme))
    entry = revoke(databases, acme)

    assert run_entry(databases.platform, targets, entry, now=NOW)

    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.UNAUTHENTICATED
    assert OutboxKind.CREDENTIAL not in [kind for kind, _ in pending_entries(databases)]


def test_sweep_publishes_the_state_after_a_death(
    databases: Databases, targets: OutboxTargets, admit: Admit, acme: Provisioned
) -> None:
    admit(tenant_of(acme))
    revoke(databases, acme)

    early = run_due_entries(databases.platform, targets, now=NOW)
    late = run_due_entries(databases.platform, targets, now=NOW + PUBLICATION_CLAIM_TIME)

    assert OutboxKind.CREDENTIAL not in early.done
    assert OutboxKind.CREDENTIAL in late.done
    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.UNAUTHENTICATED


def test_publication_does_not_touch_other_organizations(
    databases: Databases, targets: OutboxTargets, admit: Admit, acme: Provisioned, globex: Provisioned
) -> None:
    """An entry of globex that names a key of acme publishes nothing for acme."""
    admit(tenant_of(acme))
    with databases.platform.tenant_transaction(globex.organization.id) as conn:
        entry = enqueue_credential_publication(conn, globex.organization.id, acme.secret_key_id, now=NOW)

    run_entry(databases.platform, targets, entry, now=NOW)

    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.ADMITTED


def test_unreachable_redis_leaves_the_entry(databases: Databases, acme: Provisioned, nowhere: str) -> None:
    entry = revoke(databases, acme)
    unreachable = Redis(lambda: f"redis://{nowhere}/0", timeout_seconds=PATIENCE_SECONDS)

    assert not run_entry(databases.platform, OutboxTargets(redis=unreachable), entry, now=NOW)

    assert OutboxKind.CREDENTIAL in [kind for kind, _ in pending_entries(databases)]
