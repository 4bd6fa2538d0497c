"""Requests of exports and erasures, and the worker that runs due jobs."""

import gzip
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import boto3

from tenancy.rules.audit_record import Actor
from tenancy.rules.branding.branding import Branding, ImageSlot
from tenancy.rules.branding.images import BrandImage, MediaType
from tenancy.rules.custom_domains import CustomDomain
from tenancy.rules.email_domains import EmailDomain
from tenancy.rules.erasures import Erasure, SubjectKind, hash_subject
from tenancy.rules.exports import Export
from tenancy.rules.people.member import Role
from tenancy.rules.quotas import Metric
from tenancy.rules.sso.connection import ConnectionSettings, OidcConnection
from tenancy.rules.sso.discovery import ProviderMetadata
from tenancy.rules.tenant import CallerKind
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.aws.export_links import ExportLinks
from tenancy.stores.aws.exports import Exports
from tenancy.stores.postgres.branding import upsert_branding, upsert_image
from tenancy.stores.postgres.custom_domains import insert_custom_domain
from tenancy.stores.postgres.email_domains import insert_email_domain
from tenancy.stores.postgres.sessions import insert_session
from tenancy.stores.postgres.sso_connections import upsert_sso_connection
from tenancy.stores.postgres.sso_identities import upsert_sso_identity
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.privacy.request_erasure import read_erasure, request_erasure
from tenancy.use_cases.privacy.request_export import read_export, request_export
from tenancy.use_cases.schedule.privacy_jobs import PrivacyJobRun, PrivacyJobStores, run_privacy_jobs
from tenancy.use_cases.usage.meter import record_usage
from tests.brand_images import png_of
from tests.given import DEAD_LETTERS_BUCKET, EXPORTS_BUCKET, OPERATOR, REGION, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.registers import new_register
from tests.use_cases.admitting import NOW
from tests.use_cases.storing import store

EXPORTS = Exports(REGION, EXPORTS_BUCKET, path_style=True)
DEAD_LETTERS = DeadLetterObjects(REGION, DEAD_LETTERS_BUCKET, path_style=True)

INSERT_COPIES = """
    INSERT INTO erasures (id, organization_id, actor_kind, actor_id, subject_kind, salt, digest, requested_at, due_at)
    SELECT gen_random_uuid(), organization_id, actor_kind, actor_id, subject_kind, salt, digest, requested_at, due_at
    FROM erasures, generate_series(1, %s)
"""
type HasTime = Callable[[], bool]


def unlimited_time() -> bool:
    return True


def time_for(number: int) -> HasTime:
    """Return a clock that has time for *number* steps and then no more."""
    left = iter(range(number))
    return lambda: next(left, None) is not None


def actor_of(provisioned: Provisioned) -> Actor:
    return replace(OPERATOR, kind=CallerKind.KEY, id=provisioned.secret_key_id)


def stores_of(databases: Databases, *, writer_wait: timedelta = timedelta()) -> PrivacyJobStores:
    return PrivacyJobStores(
        platform_db=databases.platform,
        db=databases.functions,
        writer=lambda: databases.clickhouse,
        reader=lambda: databases.clickhouse,
        exports=EXPORTS,
        dead_letters=DEAD_LETTERS,
        register=new_register(),
        writer_wait=writer_wait,
    )


def run_jobs(databases: Databases, now: datetime, has_time: HasTime = unlimited_time) -> PrivacyJobRun:
    return run_privacy_jobs(stores_of(databases), has_time=has_time, clock=lambda: now)


def devices(databases: Databases, provisioned: Provisioned, table: str = "events") -> set[str]:
    statement = f"SELECT DISTINCT device_id FROM {table} WHERE organization_id = {{id:UUID}}"
    rows = databases.clickhouse.query(statement, parameters={"id": str(provisioned.organization.id)}).result_rows
    return {device for (device,) in rows}


def store_sample_data(databases: Databases, provisioned: Provisioned, name: str, events: int = 12) -> None:
    """Store single sign-on, a session, events of three days, held events and a usage report with *name*."""
    store_single_sign_on(databases, provisioned)
    store_branding(databases, provisioned)
    with databases.platform.tenant_transaction(provisioned.organization.id) as conn:
        insert_session(
            conn,
            provisioned.organization.id,
            uuid4(),
            provisioned.admin_user_id,
            epoch=0,
            expires_at=NOW + timedelta(days=1),
            now=NOW,
        )
    for days in range(3):
        numbers = range(days * events // 3, (days + 1) * events // 3)
        store(databases, provisioned.organization.id, numbers, at=NOW - timedelta(days=days), event_name=name)
    store(
        databases, provisioned.organization.id, range(2), at=NOW, table="held_events", reason="quota", event_name=name
    )
    store(
        databases,
        provisioned.organization.id,
        range(2, 3),
        at=NOW,
        table="held_events",
        reason="released",
        event_name=name,
    )
    record_usage(databases.functions, tenant_of(provisioned), Metric.ML_PREDICTIONS, 7, idempotency_key=name, now=NOW)


def store_single_sign_on(databases: Databases, provisioned: Provisioned) -> None:
    """Store an e-mail domain, a custom domain, a connection and the subject of the admin."""
    organization_id, url = provisioned.organization.id, "https://login.acme.example"
    metadata = ProviderMetadata(
        authorization_endpoint=url,
        token_endpoint=url,
        jwks_uri=url,
        userinfo_endpoint=None,
        is_secret_in_form=False,
        names_issuer=True,
    )
    connection = OidcConnection(
        id=uuid4(),
        issuer=url,
        client_id="acme",
        encrypted_secret=b"secret",
        metadata=metadata,
        discovered_at=NOW,
        settings=ConnectionSettings(default_role=Role.VIEWER, required=False, redirect_uris=(url,)),
        created_at=NOW,
        updated_at=NOW,
    )
    with databases.platform.tenant_transaction(organization_id) as conn:
        insert_email_domain(conn, organization_id, EmailDomain.claim("acme.example", now=NOW))
        insert_custom_domain(conn, organization_id, CustomDomain.claim(organization_id, "data.acme.example", now=NOW))
        upsert_sso_connection(conn, organization_id, connection)
        user_id = provisioned.admin_user_id
        upsert_sso_identity(conn, organization_id, user_id, connection.realm, subject="admin", now=NOW)


def store_branding(databases: Databases, provisioned: Provisioned) -> None:
    """Store a color, a sender and a logo."""
    organization_id, content = provisioned.organization.id, png_of()
    branding = Branding(primary_color="#7c3aed", sender_address="hello@acme.example")
    logo = BrandImage(digest=hashlib.sha256(content).digest(), media_type=MediaType.PNG, content=content)
    with databases.platform.tenant_transaction(organization_id) as conn:
        upsert_branding(conn, organization_id, branding, now=NOW)
        upsert_image(conn, organization_id, ImageSlot.LOGO, logo, now=NOW)


def insert_held_event(
    databases: Databases, provisioned: Provisioned, event_id: str, happened: str, reason: str = "clock"
) -> None:
    """Insert a held event with any time into ClickHouse, as earlier releases did."""
    row = {
        "organization_id": str(provisioned.organization.id),
        "event_id": event_id,
        "event_timestamp": happened,
        "received_at": "2026-11-24 12:00:00",
        "reason": reason,
    }
    databases.clickhouse.raw_insert("held_events", insert_block=json.dumps(row), fmt="JSONEachRow")


def ask_export(databases: Databases, provisioned: Provisioned, now: datetime) -> UUID:
    return request_export(databases.functions, tenant_of(provisioned), actor_of(provisioned), now=now).id


def ask_erasure(
    databases: Databases, provisioned: Provisioned, name: str, now: datetime, kind: SubjectKind = SubjectKind.DEVICE_ID
) -> UUID:
    subject = hash_subject(kind, name)
    return request_erasure(databases.functions, tenant_of(provisioned), subject, actor_of(provisioned), now=now).id


def repeat_erasures(databases: Databases, times: int) -> None:
    """Insert *times* copies of each erasure, past every limit."""
    with superuser(databases) as conn:
        conn.execute(INSERT_COPIES, (times,))


def export(
    databases: Databases, provisioned: Provisioned, export_id: UUID, now: datetime
) -> tuple[Export, dict[str, str]]:
    """Return an export and the links to its files by name."""
    links = ExportLinks(REGION, EXPORTS_BUCKET, os.environ["AWS_ENDPOINT_URL"])
    page = read_export(databases.functions, links, tenant_of(provisioned), export_id, now=now, cursor=None, limit=100)
    return page.export, {file.name: link for file, link in page.files.items()}


def erasure(databases: Databases, provisioned: Provisioned, erasure_id: UUID) -> Erasure:
    return read_erasure(databases.functions, tenant_of(provisioned), erasure_id)


def objects() -> dict[str, bytes]:
    """Return all objects of the bucket by key."""
    s3: Any = boto3.client("s3", region_name=REGION)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=EXPORTS_BUCKET).get("Contents", [])]
    return {key: s3.get_object(Bucket=EXPORTS_BUCKET, Key=key)["Body"].read() for key in keys}


def rows_in(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(content).splitlines()]


def exported_rows(provisioned: Provisioned) -> dict[str, list[dict[str, Any]]]:
    """Return the exported rows of an organization by section."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for key, content in sorted(objects().items()):
        if key.startswith(str(provisioned.organization.id)) and key.endswith(".gz"):
            sections.setdefault(key.partition("-")[2].rpartition("/")[2][6:].partition(".")[0], []).extend(
                rows_in(content)
            )
    return sections
