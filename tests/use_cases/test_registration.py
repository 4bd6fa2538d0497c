"""Erasures and ended keys are in the register before they are reported as done."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.erasures import ErasureStatus
from tenancy.rules.register import digest_of, ended_keys, erased_organization
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.aws.register import Register
from tenancy.use_cases.apps.delete_app import delete_app
from tenancy.use_cases.deletion.delete import restore_organization
from tenancy.use_cases.keys.platform_keys import create_platform_key, revoke_key_of_platform, rotate_platform_key
from tenancy.use_cases.keys.revoke_key import revoke_key
from tenancy.use_cases.keys.rotate_key import WantedRotation, rotate_key
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.privacy_jobs import run_privacy_jobs
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import NOW, OPERATOR, REGION, REGISTER_BUCKET, Databases, tenant_of
from tests.registers import read_register, stored_entries
from tests.use_cases.erasing import PURGE, Platform, column_of
from tests.use_cases.privacy_jobs import ask_erasure, devices, erasure, run_jobs, stores_of, unlimited_time
from tests.use_cases.storing import store

OVERLAP = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SUBJECT = "device-3"


@pytest.fixture
def unreachable(nowhere: str) -> Register:
    return Register(AwsClient("s3", REGION, f"http://{nowhere}"), REGISTER_BUCKET)


def test_revoked_key_is_registered_with_the_answer(
    databases: Databases, targets: OutboxTargets, acme: Provisioned
) -> None:
    for _ in range(2):
        revoke_key(databases.platform, targets, acme.organization.id, acme.secret_key_id, OPERATOR, now=NOW)

    entry = ended_keys(acme.organization.id, [acme.secret_key_id], ends_at=NOW)
    assert stored_entries() == {entry.name: dict(entry.content)}


def test_rotated_key_is_registered_with_its_end(
    databases: Databases, targets: OutboxTargets, encryptor: Encryptor, acme: Provisioned
) -> None:
    wanted = WantedRotation(key_id=acme.secret_key_id, overlap=OVERLAP)

    rotate_key(databases.platform, targets, encryptor, tenant_of(acme), wanted, OPERATOR, idempotency_key=None, now=NOW)

    entry = ended_keys(acme.organization.id, [acme.secret_key_id], ends_at=NOW + OVERLAP)
    assert stored_entries() == {entry.name: dict(entry.content)}


def test_keys_of_a_deleted_app_are_registered(databases: Databases, targets: OutboxTargets, acme: Provisioned) -> None:
    delete_app(databases.platform, targets, tenant_of(acme), acme.app_id, OPERATOR, now=NOW)

    organization_id = acme.organization.id
    assert read_register().key_ends == {
        digest_of(organization_id): {digest_of(organization_id, acme.write_key_id): NOW}
    }


def test_sweep_registers_a_key_after_a_failed_request(
    databases: Databases, targets: OutboxTargets, platform: Platform, unreachable: Register, acme: Provisioned
) -> None:
    without_s3 = replace(targets, register=unreachable)

    is_published = revoke_key(
        databases.platform, without_s3, acme.organization.id, acme.secret_key_id, OPERATOR, now=NOW
    )
    before = stored_entries()
    sweep(databases.platform, platform.redis, targets, now=NOW + MINUTE)

    assert (is_published, before) == (True, {})
    assert list(stored_entries()) == [ended_keys(acme.organization.id, [acme.secret_key_id], ends_at=NOW).name]


def test_no_organization_is_erased_before_it_is_registered(
    databases: Databases, platform: Platform, unreachable: Register, acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    platform.delete(organization_id)
    without_s3 = replace(platform, erasure_stores=replace(platform.erasure_stores, register=unreachable))

    with pytest.raises(UnavailableError):
        without_s3.place_tombstones(organization_id)
    before = read_register().organizations
    platform.erase(organization_id)

    assert before == set()
    closed_at = column_of(databases, organization_id)["gate_closed_at"]
    entry = erased_organization(organization_id, closed_at=closed_at)
    assert (closed_at, stored_entries()[entry.name]) == (PURGE, dict(entry.content))


def test_deletion_and_its_undoing_are_registered(
    databases: Databases, targets: OutboxTargets, platform: Platform, acme: Provisioned
) -> None:
    organization_id, organization = acme.organization.id, digest_of(acme.organization.id)

    for _ in range(2):
        platform.delete(organization_id)
    deleted = read_register().last_deletion(organization)
    restore_organization(databases.platform, targets, organization_id, OPERATOR, now=NOW)

    assert deleted == (1, PURGE)
    assert read_register().last_deletion(organization) == (1, None)


def test_no_subject_is_erased_before_it_is_registered(
    databases: Databases, unreachable: Register, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(20), at=NOW - MINUTE)
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    without_s3 = replace(stores_of(databases), register=unreachable)

    run = run_privacy_jobs(without_s3, has_time=unlimited_time, clock=lambda: NOW)
    before = (run.postponed, erasure(databases, acme, erasure_id).status, stored_entries())
    for days in (1, 2):
        run_jobs(databases, NOW + timedelta(days=days))

    assert before == (1, ErasureStatus.PENDING, {})
    assert SUBJECT not in devices(databases, acme)
    [registered] = read_register().subjects[digest_of(acme.organization.id)]
    assert (registered.id, registered.requested_at) == (erasure_id, NOW)


def test_repeated_revocation_of_a_platform_key_is_registered(
    databases: Databases, encryptor: Encryptor, register: Register, unreachable: Register
) -> None:
    """The first request died, or S3 was unreachable, after the commit."""
    key_id, _ = platform_keys(databases, encryptor)

    revoke_key_of_platform(databases.platform, unreachable, key_id, OPERATOR, now=NOW)
    before = stored_entries()
    revoke_key_of_platform(databases.platform, register, key_id, OPERATOR, now=NOW + MINUTE)

    assert (before, list(stored_entries())) == ({}, [ended_keys(PLATFORM_LOG, [key_id], ends_at=NOW).name])


def test_sweep_registers_platform_keys_that_have_ended(
    databases: Databases, targets: OutboxTargets, platform: Platform, encryptor: Encryptor, unreachable: Register
) -> None:
    revoked, rotated = platform_keys(databases, encryptor)
    revoke_key_of_platform(databases.platform, unreachable, revoked, OPERATOR, now=NOW)
    rotate_platform_key(
        databases.platform, encryptor, unreachable, rotated, OVERLAP, OPERATOR, idempotency_key=None, now=NOW
    )

    registered = []
    for time in (MINUTE, OVERLAP, OVERLAP):
        sweep(databases.platform, platform.redis, targets, now=NOW + time)
        registered.append(set(stored_entries()))

    first, second = (
        ended_keys(PLATFORM_LOG, [revoked], ends_at=NOW).name,
        ended_keys(PLATFORM_LOG, [rotated], ends_at=NOW + OVERLAP).name,
    )
    assert registered == [{first}, {first, second}, {first, second}]


def platform_keys(databases: Databases, encryptor: Encryptor) -> tuple[UUID, UUID]:
    """Create three platform keys, and return the first two."""
    first, second, _ = (
        create_platform_key(databases.platform, encryptor, name, None, OPERATOR, idempotency_key=None, now=NOW).id
        for name in "xyz"
    )
    return first, second
