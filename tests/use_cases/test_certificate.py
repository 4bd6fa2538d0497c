"""The signed certificate of an erasure, and the remnant of the organization."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tenancy.errors import SubdomainTakenError
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.platform.deletions import list_certificates
from tenancy.use_cases.audit.read_audit import verify_audit_log
from tenancy.use_cases.deletion.erase import (
    RowsLeftError,
    count_again,
)
from tenancy.use_cases.deletion.read_certificate import read_certificate
from tenancy.use_cases.organizations.list_organizations import list_organization_page
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import OPERATOR, Databases, new_organization
from tests.handlers.functions import Mails, superuser
from tests.use_cases.erasing import PURGE, WRITER_WAIT, Platform, column_of, pending_entries
from tests.use_cases.storing import count, store

AFTER = PURGE + WRITER_WAIT + timedelta(minutes=1)


def test_changed_certificate_fails_verification(
    platform: Platform, databases: Databases, tamper: psycopg.Connection[Any], acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    platform.delete(organization_id)

    platform.erase(organization_id)

    found = read_certificate(databases.platform, platform.signer, organization_id)
    assert found.are_valid

    document = json.loads(found.certificates[0].text)
    assert document["organization_id"] == str(organization_id)
    assert document["counts"]["postgres"]["users"] == 0
    assert document["erased_at"] == "2026-12-24T12:02:00Z"
    assert document["found"] == {}
    assert {entry["by"] for entry in document["ages_out"]} > {"2027-01-07T12:02:00Z"}

    tamper.execute("UPDATE deletion_certificates SET text = replace(text::text, '\"users\": 0', '\"users\": 1')::json")
    assert not read_certificate(databases.platform, platform.signer, organization_id).are_valid


def test_repeated_tasks_sign_each_certificate_once(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    organization_id = acme.organization.id
    platform.delete(organization_id)
    platform.erase(organization_id, times=2)

    for _ in range(2):
        count_again(platform.erasure_stores, platform.signer, organization_id, 1, now=AFTER + timedelta(days=1))

    with databases.platform.transaction() as conn:
        first, second = list_certificates(conn, organization_id)
    assert json.loads(first.text)["counted_at"] == json.loads(first.text)["erased_at"]
    assert json.loads(second.text)["counted_at"] == "2026-12-25T12:03:00Z"
    assert json.loads(second.text)["erased_at"] == json.loads(first.text)["erased_at"]


def test_recount_erases_late_rows_before_it_certifies(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    platform.delete(organization_id)
    platform.erase(organization_id)
    store(databases, organization_id, range(3), at=AFTER)

    counted = count_again(platform.erasure_stores, platform.signer, organization_id, 1, now=AFTER)

    assert counted.found == {"clickhouse/events": 3}
    assert count(databases, organization_id) == 0

    with databases.platform.transaction() as conn:
        *_, last = list_certificates(conn, organization_id)
    assert json.loads(last.text)["found"] == {"clickhouse/events": 3}


def test_rows_that_cannot_be_erased_prevent_the_certificate(
    platform: Platform, databases: Databases, tamper: psycopg.Connection[Any], acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    platform.delete(organization_id)
    tamper.execute("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    tamper.execute("CREATE TRIGGER keep BEFORE DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION keep()")
    tamper.execute("ALTER TABLE api_keys DROP CONSTRAINT api_keys_app_fkey")

    with pytest.raises(RowsLeftError, match=r"^postgres/api_keys$"):
        platform.erase(organization_id)
    assert column_of(databases, organization_id)["status"] == "erasing"

    tamper.execute("DROP TRIGGER keep ON api_keys")
    assert not any(platform.erase(organization_id)["postgres"].values())


def test_last_contact_is_mailed_and_then_deleted(
    platform: Platform, databases: Databases, mails: Mails, acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    platform.delete(organization_id)

    platform.erase(organization_id, times=2)

    assert pending_entries(databases) == [("erased_mail", "admin@acme.example")]

    sweep(databases.platform, platform.redis, platform.targets, now=AFTER)
    assert ("admin@acme.example", "Your organization's data was erased") in mails()

    with superuser(databases) as conn:
        [row] = conn.execute("SELECT o::text FROM organizations AS o WHERE id = %s", (organization_id,)).fetchall()
    assert "acme" not in row[0].lower()
    assert pending_entries(databases) == []


def test_unsent_last_mail_is_deleted_after_a_day(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    organization_id = acme.organization.id
    platform.delete(organization_id)
    platform.erase(organization_id)

    for now, left in (
        (datetime.now(UTC) + timedelta(hours=1), [("erased_mail", "admin@acme.example")]),
        (datetime.now(UTC) + timedelta(days=1), []),
    ):
        count_again(platform.erasure_stores, platform.signer, organization_id, 1, now=now)
        assert pending_entries(databases) == left


# -------------------------------------------------------------------------------------------------------- the remnant


def test_erased_subdomain_is_quarantined_for_a_year(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)

    platform.erase(acme.organization.id, times=2)

    soon, later = PURGE + timedelta(days=364), PURGE + WRITER_WAIT + timedelta(days=365)
    for subdomain in ("acme", "acrne"):
        with pytest.raises(SubdomainTakenError):
            provision_organization(
                databases.platform, platform.targets, new_organization(subdomain), OPERATOR, now=soon
            )

    provisioned = provision_organization(
        databases.platform, platform.targets, new_organization("acme"), OPERATOR, now=later
    )

    assert provisioned.organization.status is OrganizationStatus.ACTIVE


def test_erased_organizations_are_listed_without_their_name(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    platform.erase(acme.organization.id)

    page = list_organization_page(
        databases.platform, status=OrganizationStatus.ERASED, tier=None, cursor=None, limit=10
    )

    assert [(each.id, each.name, each.tier) for each in page.rows] == [(acme.organization.id, "erased", Tier.STARTER)]


def test_audit_log_of_an_erased_organization_verifies(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    sweep(databases.platform, platform.redis, platform.targets, now=datetime.now(UTC))
    platform.delete(acme.organization.id)
    platform.erase(acme.organization.id)

    sweep(databases.platform, platform.redis, platform.targets, now=AFTER)

    assert verify_audit_log(databases.functions, platform.signer, acme.organization.id).broken is None
